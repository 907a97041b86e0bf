/** What is written in a state's box and on an arrow, as blocks of lines. Says nothing about where they stand. */
import type { ChartArrow, ChartAction, ChartState, ChartTrigger } from './chart.ts'
import { isCommand } from './names.ts'
import { type Block, blockOf, type Span, wrapSentence, wrapSpans } from './text.ts'

/** Widest line in px, by where it stands. */
const STATE_WIDTH = 230
const ACTION_WIDTH = 330
const COMPOUND_WIDTH = 340
const TITLE_WIDTH = 620
const ARROW_WIDTH = 225

/** The name, the description and the actions of a state. */
export function stateWords(state: ChartState, isRoot: boolean): Block {
  const maxWidth = isRoot ? TITLE_WIDTH : state.states.length > 0 ? COMPOUND_WIDTH : STATE_WIDTH
  const lines: Span[][] = []
  const gaps = new Map<number, number>()
  if (state.name !== '') lines.push([{ text: state.name, tone: isRoot ? 'title' : 'name' }])
  lines.push(...wrapSentence(state.description, 'note', maxWidth))
  if (state.actions.length > 0 && lines.length > 0) gaps.set(lines.length - 1, 5)
  for (const action of state.actions)
    lines.push(...wrapSpans(stepSpans(action), Math.max(maxWidth, ACTION_WIDTH)))
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

function stepSpans(action: ChartAction): Span[] {
  const when = whenSpans(action.when.split(', '))
  const to: Span[] =
    action.to === undefined
      ? []
      : [{ text: `${action.actions.length > 0 ? ' ' : ''}→ ${action.to}`, tone: 'target' }]
  return [...when, ...guardSpans(action.guard), ...actionSpans(action.actions), ...to]
}

function triggerSpans(trigger: ChartTrigger): Span[] {
  return [
    ...whenSpans(trigger.events),
    ...guardSpans(trigger.guard),
    ...actionSpans(trigger.commands),
  ]
}

function whenSpans(words: readonly string[]): Span[] {
  return words.map((word, at): Span => {
    return { text: at < words.length - 1 ? `${word}, ` : `${word} `, tone: whenTone(word) }
  })
}

function guardSpans(guard: string): Span[] {
  return guard === '' ? [] : `[${guard}] `.split(/(?<= )/).map((text) => ({ text, tone: 'guard' }))
}

function actionSpans(actions: readonly string[]): Span[] {
  return actions.map((action, at) => ({
    text: `${at === 0 ? '/ ' : ''}${action}${at < actions.length - 1 ? ', ' : ''}`,
    tone: isCommand(action) ? 'command' : 'update',
  }))
}

function whenTone(word: string): Span['tone'] {
  if (word === 'entry' || word === 'exit') return 'word'
  return word.startsWith('after ') || word === 'always' ? 'timer' : 'event'
}
