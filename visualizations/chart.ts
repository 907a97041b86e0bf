/**
 * A machine as a drawing sees it: boxes, arrows and words, read from the live machine and never from its source, so
 * that a picture cannot say anything the machine does not do. Knows nothing of coordinates.
 */
import type { AnyStateMachine, AnyStateNode } from 'xstate'
import { arrowsOf } from './arrows.ts'
import { grouped } from './group.ts'
import { actionWord, eventWord, guardWord, isCommand } from './names.ts'
import { stubbed } from './stub.ts'

/** A `group` is no state: it stands around states that share arrows, so that each is drawn once. */
type ChartKind = 'atomic' | 'compound' | 'parallel' | 'final' | 'history' | 'group'

/** One line under a state's name: what it does on its way in and out, or without leaving. */
export interface ChartAction {
  readonly when: string
  readonly guard: string
  readonly actions: readonly string[]
  /** Name of the state it leads to, where no arrow says so. */
  readonly to?: string
}

export interface ChartState {
  readonly id: string
  readonly name: string
  readonly kind: ChartKind
  readonly description: string
  /** A region of a parallel state. */
  readonly isRegion: boolean
  /** Id of the child it starts in, null where there is none. */
  readonly initial: string | null
  readonly actions: readonly ChartAction[]
  readonly states: readonly ChartState[]
}

/** One transition with a target. Only its commands are told, not what it notes in the context. */
export interface ChartTransition {
  readonly source: string
  readonly target: string
  readonly event: string
  readonly guard: string
  readonly commands: readonly string[]
}

/** What makes an arrow be taken. Events that share guard and commands share one. */
export interface ChartTrigger {
  readonly events: readonly string[]
  readonly guard: string
  readonly commands: readonly string[]
}

/** All transitions from one state to another: one arrow with a line for each trigger. */
export interface ChartArrow {
  readonly id: string
  readonly source: string
  readonly target: string
  readonly triggers: readonly ChartTrigger[]
}

export interface Chart {
  readonly root: ChartState
  readonly arrows: readonly ChartArrow[]
}

type Group = AnyStateNode['transitions'] extends Map<string, infer T> ? T : never
type Transition = Group extends readonly (infer T)[] ? T : never

/** The chart of a machine. Explicit ignores are left out: they change nothing. */
export function chartOf(machine: AnyStateMachine): Chart {
  const plain = transitionsBelow(machine.root)
  const { root, transitions } = grouped(stateOf(machine.root), plain)
  return stubbed({ root, arrows: arrowsOf(transitions) })
}

function stateOf(node: AnyStateNode): ChartState {
  return {
    id: node.id,
    name: node.key,
    kind: node.type,
    description: node.description ?? '',
    isRegion: node.parent?.type === 'parallel',
    initial: node.type === 'compound' ? (node.initial.target?.[0]?.id ?? null) : null,
    actions: [
      ...passageActions('entry', node.entry),
      ...passageActions('exit', node.exit),
      ...internalActions(node),
    ],
    states: Object.values(node.states).map(stateOf),
  }
}

function passageActions(when: string, actions: readonly unknown[]): ChartAction[] {
  const words = actions.map(actionWord).filter((word) => !word.startsWith('xstate.'))
  return words.length === 0 ? [] : [{ when, guard: '', actions: words }]
}

function internalActions(node: AnyStateNode): ChartAction[] {
  const merged = new Map<string, ChartAction>()
  for (const { transition, guard } of transitionsOf(node)) {
    if (transition.target || transition.actions.length === 0) continue
    const actions = transition.actions.map(actionWord)
    const when = eventWord(transition.eventType)
    const key = `${guard}/${actions.join()}`
    const known = merged.get(key)
    merged.set(key, { when: known ? `${known.when}, ${when}` : when, guard, actions })
  }
  return [...merged.values()]
}

function transitionsBelow(node: AnyStateNode): ChartTransition[] {
  const own = transitionsOf(node).flatMap(({ transition, guard }) =>
    (transition.target ?? []).map((target) => ({
      source: node.id,
      target: target.id,
      event: eventWord(transition.eventType),
      guard,
      commands: transition.actions.map(actionWord).filter(isCommand),
    })),
  )
  return [...own, ...Object.values(node.states).flatMap(transitionsBelow)]
}

/** A state's own transitions in the order they are tried, each with its guard as words. */
function transitionsOf(node: AnyStateNode): { transition: Transition; guard: string }[] {
  const groups: readonly Group[] = [...node.transitions.values(), node.always ?? []]
  return groups.flatMap((group) =>
    group.map((transition, at) => ({
      transition,
      guard: transition.guard ? guardWord(transition.guard) : at > 0 ? 'else' : '',
    })),
  )
}
