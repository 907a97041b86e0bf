/**
 * A machine as a drawing sees it: boxes, arrows and words, read from the live machine and never from its source, so that
 * a picture cannot say anything the machine does not do. Knows nothing of coordinates.
 */
import type { AnyStateMachine, AnyStateNode } from 'xstate'

export type ChartKind = 'atomic' | 'compound' | 'parallel' | 'final' | 'history'

/** One line under a state's name: what it does on its way in and out, or without leaving. */
export interface ChartDeed {
  readonly when: string
  readonly guard: string
  readonly actions: readonly string[]
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
  readonly deeds: readonly ChartDeed[]
  readonly states: readonly ChartState[]
}

/** What makes an arrow be taken. Events that share guard and commands share one. */
export interface ChartTrigger {
  readonly events: readonly string[]
  readonly guard: string
  readonly actions: readonly string[]
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

type Transition = ReturnType<AnyStateNode['transitions']['get']> extends
  | readonly (infer T)[]
  | undefined
  ? T
  : never

/** Stands for a context or an event nobody has yet: every property of it is itself, and so is what it returns. */
const ANYTHING: object = new Proxy(() => undefined, {
  get: (_, key) => (key === Symbol.toPrimitive ? () => 0 : ANYTHING),
  apply: () => ANYTHING,
})
const AFTER = 'xstate.after.'
const DONE = 'xstate.done.state.'

/** The chart of a machine. Explicit ignores are left out: they change nothing. */
export function chartOf(machine: AnyStateMachine): Chart {
  return { root: stateOf(machine.root), arrows: arrowsOf(machine.root) }
}

function stateOf(node: AnyStateNode): ChartState {
  const states = Object.values(node.states)
  return {
    id: node.id,
    name: node.key,
    kind: node.type,
    description: node.description ?? '',
    isRegion: node.parent?.type === 'parallel',
    initial: node.type === 'compound' ? (node.initial.target?.[0]?.id ?? null) : null,
    deeds: [
      ...passageDeeds('entry', node.entry),
      ...passageDeeds('exit', node.exit),
      ...internalDeeds(node),
    ],
    states: states.map(stateOf),
  }
}

function passageDeeds(when: string, actions: readonly unknown[]): ChartDeed[] {
  const names = actions.map(nameOf).filter((name) => !name.startsWith('xstate.'))
  return names.length === 0 ? [] : [{ when, guard: '', actions: names }]
}

function internalDeeds(node: AnyStateNode): ChartDeed[] {
  const deeds: ChartDeed[] = []
  for (const { transition, guard } of transitionsOf(node)) {
    if (transition.target || transition.actions.length === 0) continue
    const when = wordOf(transition.eventType)
    deeds.push({ when, guard, actions: transition.actions.map(nameOf) })
  }
  return mergeDeeds(deeds)
}

function mergeDeeds(deeds: readonly ChartDeed[]): ChartDeed[] {
  const merged = new Map<string, ChartDeed>()
  for (const deed of deeds) {
    const key = `${deed.guard}/${deed.actions.join()}`
    const known = merged.get(key)
    merged.set(key, known ? { ...known, when: `${known.when}, ${deed.when}` } : deed)
  }
  return [...merged.values()]
}

function arrowsOf(root: AnyStateNode): ChartArrow[] {
  const arrows = new Map<string, { source: string; target: string; triggers: ChartTrigger[] }>()
  for (const node of nodesOf(root)) {
    for (const { transition, guard } of transitionsOf(node)) {
      for (const target of transition.target ?? []) {
        const id = `${node.id}→${target.id}`
        const arrow = arrows.get(id) ?? { source: node.id, target: target.id, triggers: [] }
        arrows.set(id, arrow)
        const actions = transition.actions.map(nameOf).filter(isCommand)
        addTrigger(arrow.triggers, wordOf(transition.eventType), guard, actions)
      }
    }
  }
  return [...arrows].map(([id, arrow]) => ({ id, ...arrow, triggers: joinGuards(arrow.triggers) }))
}

/** The same events by one guard or by another, with the same commands: one trigger. */
function joinGuards(triggers: readonly ChartTrigger[]): ChartTrigger[] {
  const joined = new Map<string, ChartTrigger>()
  for (const trigger of triggers) {
    const key = `${trigger.events.join()}/${trigger.actions.join()}/${trigger.guard === ''}`
    const known = joined.get(key)
    joined.set(key, known ? { ...known, guard: `${known.guard} or ${trigger.guard}` } : trigger)
  }
  return [...joined.values()]
}

function addTrigger(triggers: ChartTrigger[], event: string, guard: string, actions: string[]) {
  const same = triggers.findIndex(
    (known) => known.guard === guard && known.actions.join() === actions.join(),
  )
  const known = triggers[same]
  if (!known) triggers.push({ events: [event], guard, actions })
  else if (!known.events.includes(event)) {
    triggers[same] = { ...known, events: [...known.events, event] }
  }
}

function nodesOf(node: AnyStateNode): AnyStateNode[] {
  return [node, ...Object.values(node.states).flatMap(nodesOf)]
}

/** A state's own transitions in the order they are tried, each with its guard as words. */
function transitionsOf(node: AnyStateNode): { transition: Transition; guard: string }[] {
  const groups = [...node.transitions.values(), node.always ?? []]
  return groups.flatMap((group: readonly Transition[]) =>
    group.map((transition, at) => ({
      transition,
      guard: transition.guard ? guardWords(transition.guard) : at > 0 ? 'else' : '',
    })),
  )
}

function wordOf(eventType: string): string {
  if (eventType === '') return 'always'
  if (eventType === '*') return 'any other event'
  if (eventType.startsWith(DONE)) return 'done'
  return eventType.startsWith(AFTER)
    ? `after ${eventType.slice(AFTER.length).split('.')[0]}`
    : eventType
}

/** Commands are `subject.verb`; a name without a dot only notes something in the machine's own context. */
function isCommand(name: string): boolean {
  return name.includes('.')
}

function nameOf(action: unknown): string {
  if (typeof action === 'string') return action
  const { type, params } = action as { type?: string; params?: unknown }
  if (type === undefined) return 'anonymous'
  const words = typeof params === 'function' ? eventWords(params as Params) : plainWords(params)
  return words.length === 0 ? type : `${type}(${words.join(', ')})`
}

function plainWords(params: unknown): string[] {
  if (typeof params !== 'object' || params === null) return []
  return Object.values(params)
    .filter((value) => typeof value !== 'object')
    .map(String)
}

/** A command that tells somebody something has that event's type among its parameters, whatever the context holds. */
type Params = (args: unknown, event: unknown) => unknown
function eventWords(params: Params): string[] {
  try {
    const { type } = params({ context: ANYTHING, event: ANYTHING }, ANYTHING) as { type?: unknown }
    return typeof type === 'string' ? [type] : []
  } catch {
    return []
  }
}

/** `not('a')` as `!a`; `and` and `or` by their words. */
function guardWords(guard: unknown): string {
  if (typeof guard === 'string') return guard
  const { type, guards, name, check } = guard as {
    type?: string
    guards?: unknown[]
    name?: string
    check?: { name: string }
  }
  if (guards) {
    const words = guards.map(guardWords)
    if (check?.name === 'checkNot') return `!${words[0]}`
    return words.join(check?.name === 'checkOr' ? ' or ' : ' and ')
  }
  return type ?? name ?? 'anonymous'
}
