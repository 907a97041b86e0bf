/** What is written in a state's box and on an arrow, as blocks of lines. Says nothing about where they stand. */
import type { ChartArrow, ChartDeed, ChartState, ChartTrigger } from './chart.ts'
import { type Block, blockOf, type Span, wrapSentence, wrapSpans } from './text.ts'

/** Widest line in px, by where it stands. */
const STATE_WIDTH = 230
const COMPOUND_WIDTH = 320
const TITLE_WIDTH = 620
const ARROW_WIDTH = 215

/** The name, the description and the deeds of a state. */
export function stateWords(state: ChartState, isRoot: boolean): Block {
  const maxWidth = isRoot ? TITLE_WIDTH : state.states.length > 0 ? COMPOUND_WIDTH : STATE_WIDTH
  const lines: Span[][] = [[{ text: state.name, tone: isRoot ? 'title' : 'name' }]]
  lines.push(...wrapSentence(state.description, 'note', maxWidth))
  const gaps = new Map<number, number>()
  if (state.deeds.length > 0) gaps.set(lines.length - 1, 5)
  for (const deed of state.deeds) lines.push(...wrapSpans(deedSpans(deed), maxWidth))
  return blockOf(lines, gaps)
}

/** One or more lines for each trigger of an arrow. */
export function arrowWords(arrow: ChartArrow): Block {
  const gaps = new Map<number, number>()
  const lines: Span[][] = []
  for (const trigger of arrow.triggers) {
    if (lines.length > 0) gaps.set(lines.length - 1, 3)
    lines.push(...wrapSpans(triggerSpans(trigger), ARROW_WIDTH))
  }
  return blockOf(lines, gaps)
}

function deedSpans(deed: ChartDeed): Span[] {
  const when = deed.when.split(', ').map((word, at, words): Span => {
    return { text: at < words.length - 1 ? `${word}, ` : `${word} `, tone: whenTone(word) }
  })
  return [...when, ...guardSpans(deed.guard), ...actionSpans(deed.actions)]
}

function triggerSpans(trigger: ChartTrigger): Span[] {
  const events = trigger.events.map((event, at): Span => {
    return { text: at < trigger.events.length - 1 ? `${event}, ` : `${event} `, tone: whenTone(event) }
  })
  return [...events, ...guardSpans(trigger.guard), ...actionSpans(trigger.actions)]
}

function guardSpans(guard: string): Span[] {
  return guard === '' ? [] : `[${guard}] `.split(/(?<= )/).map((text) => ({ text, tone: 'guard' }))
}

function actionSpans(actions: readonly string[]): Span[] {
  return actions.map((action, at) => ({
    text: `${at === 0 ? '/ ' : ''}${action}${at < actions.length - 1 ? ', ' : ''}`,
    tone: action.includes('.') ? 'command' : 'update',
  }))
}

function whenTone(word: string): Span['tone'] {
  if (word === 'entry' || word === 'exit') return 'word'
  return word.startsWith('after ') || word === 'always' ? 'timer' : 'event'
}
