/**
 * A machine rebuilt from its own config: with a marker on every transition, so that the pure `transition()` says which
 * ones it took, or as a mutant with one fault planted. Uses the public API of XState only.
 */
import { type AnyStateMachine, createMachine } from 'xstate'

/** A transition's name: `state id · event type · index among those of that event`. */
export type TransitionId = string

export interface TransitionConfig {
  readonly target?: unknown
  readonly guard?: unknown
  readonly actions?: unknown
  readonly [key: string]: unknown
}

export interface NodeConfig {
  readonly id?: string
  readonly type?: string
  readonly description?: string
  readonly initial?: unknown
  readonly entry?: unknown
  readonly exit?: unknown
  readonly on?: Readonly<Record<string, unknown>>
  readonly after?: Readonly<Record<string, unknown>>
  readonly always?: unknown
  readonly onDone?: unknown
  readonly states?: Readonly<Record<string, NodeConfig>>
  readonly [key: string]: unknown
}

/** A transition where it stands in the config. `kind` is `on`, `after`, `always` or `onDone`. */
export interface Site {
  readonly id: TransitionId
  readonly stateId: string
  readonly kind: 'on' | 'after' | 'always' | 'onDone'
  /** Event type, delay name, or '' for `always` and `onDone`. */
  readonly key: string
  readonly index: number
  readonly transition: TransitionConfig
}

/** What becomes of a transition: itself, another, or nothing. */
export type Rewrite = (site: Site) => TransitionConfig | null

export const MARK = '@taken'

/** Every transition of a machine, in document order. */
export function sitesOf(machine: AnyStateMachine): Site[] {
  const sites: Site[] = []
  rewrite(machine, (site) => {
    sites.push(site)
    return site.transition
  })
  return sites
}

/** True for `{}`: the state knows the event and does nothing. */
export function isIgnore(site: Site): boolean {
  return site.transition.target === undefined && listOf(site.transition.actions).length === 0
}

/** The same machine; each transition it takes adds an action `@taken` with its id. */
export function marked(machine: AnyStateMachine): AnyStateMachine {
  return rewrite(machine, ({ id, transition }) => ({
    ...transition,
    actions: [{ type: MARK, params: { id } }, ...listOf(transition.actions)],
  }))
}

/** A mutant: one transition is gone. */
export function without(machine: AnyStateMachine, id: TransitionId): AnyStateMachine {
  return mutated(machine, id, () => null)
}

/** A mutant: one transition has lost its guard. */
export function unguarded(machine: AnyStateMachine, id: TransitionId): AnyStateMachine {
  return mutated(machine, id, ({ guard: _, ...rest }) => rest)
}

/** A mutant: parts of one transition are others. */
export function rewritten(
  machine: AnyStateMachine,
  id: TransitionId,
  change: TransitionConfig,
): AnyStateMachine {
  return mutated(machine, id, (transition) => ({ ...transition, ...change }))
}

function mutated(
  machine: AnyStateMachine,
  id: TransitionId,
  change: (transition: TransitionConfig) => TransitionConfig | null,
): AnyStateMachine {
  let found = false
  const mutant = rewrite(machine, (site) => {
    if (site.id !== id) return site.transition
    found = true
    return change(site.transition)
  })
  if (!found) throw new Error(`${machine.id} has no transition ${id}`)
  return mutant
}

function rewrite(machine: AnyStateMachine, change: Rewrite): AnyStateMachine {
  const config = nodeWith(machine.config as NodeConfig, [machine.id], change)
  const { actions, ...rest } = machine.implementations
  const implementations = { ...rest, actions: { ...actions, [MARK]: () => {} } }
  return createMachine(config as never, implementations as never) as AnyStateMachine
}

function nodeWith(node: NodeConfig, path: readonly string[], change: Rewrite): NodeConfig {
  const stateId = node.id ?? path.join('.')
  const groups = (kind: 'on' | 'after') =>
    Object.fromEntries(
      Object.entries(node[kind] ?? {})
        .map(([key, value]) => [key, listWith(value, { stateId, kind, key }, change)] as const)
        .filter(([, list]) => list.length > 0),
    )
  const states = Object.entries(node.states ?? {}).map(([key, child]) => [
    key,
    nodeWith(child, [...path, key], change),
  ])
  return {
    ...node,
    ...(node.on ? { on: groups('on') } : {}),
    ...(node.after ? { after: groups('after') } : {}),
    ...listAt(node, 'always', stateId, change),
    ...listAt(node, 'onDone', stateId, change),
    ...(node.states ? { states: Object.fromEntries(states) } : {}),
  }
}

function listAt(
  node: NodeConfig,
  kind: 'always' | 'onDone',
  stateId: string,
  change: Rewrite,
): Partial<NodeConfig> {
  if (node[kind] === undefined) return {}
  return { [kind]: listWith(node[kind], { stateId, kind, key: '' }, change) }
}

function listWith(
  value: unknown,
  at: Pick<Site, 'stateId' | 'kind' | 'key'>,
  change: Rewrite,
): TransitionConfig[] {
  return listOf(value).flatMap((raw, index) => {
    const transition = typeof raw === 'string' ? { target: raw } : ((raw ?? {}) as TransitionConfig)
    const event = at.kind === 'on' ? at.key : at.kind === 'after' ? `after ${at.key}` : at.kind
    const id = `${at.stateId} · ${event} · ${index}`
    const changed = change({ ...at, id, index, transition })
    return changed === null ? [] : [changed]
  })
}

export function listOf(value: unknown): unknown[] {
  return value === undefined ? [] : Array.isArray(value) ? value : [value]
}
