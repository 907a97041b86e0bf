/**
 * Every transition of a machine by a name of its own, and the machine rebuilt so that each step says
 * which ones it took. This is what coverage is counted in. It uses XState's public interface only.
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
interface Site {
  readonly id: TransitionId
  readonly stateId: string
  readonly kind: 'on' | 'after' | 'always' | 'onDone'
  /** Event type, delay name, or '' for `always` and `onDone`. */
  readonly key: string
  readonly index: number
  readonly transition: TransitionConfig
}

/** What becomes of a transition: itself, another, or nothing. */
type Rewrite = (site: Site) => TransitionConfig | null

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

/** The transitions that do something: neither ignores nor the last resort for the unexpected. */
export function workingTransitions(machine: AnyStateMachine): TransitionId[] {
  const lastResort = `${machine.id} · * · 0`
  return sitesOf(machine)
    .filter((site) => !isIgnore(site) && site.id !== lastResort)
    .map(({ id }) => id)
}

/** The same machine; each transition it takes adds an action `@taken` with its id. */
export function marked(machine: AnyStateMachine): AnyStateMachine {
  return rewrite(machine, ({ id, transition }) => ({
    ...transition,
    actions: [{ type: MARK, params: { id } }, ...listOf(transition.actions)],
  }))
}

/** The transitions that a step of a marked machine took, from the actions it gave back. */
export function takenIn(
  actions: readonly { readonly type: string; readonly params?: unknown }[],
): TransitionId[] {
  return actions
    .filter(({ type }) => type === MARK)
    .map(({ params }) => (params as { id: TransitionId }).id)
}

/** A machine whose every transition is what `change` makes of it. */
export function rewrite(machine: AnyStateMachine, change: Rewrite): AnyStateMachine {
  const config = nodeWith(machine.config as NodeConfig, [machine.id], change)
  const { actions, ...rest } = machine.implementations
  const implementations = { ...rest, actions: { ...actions, [MARK]: () => {} } }
  return createMachine(config as never, implementations as never) as AnyStateMachine
}

export function listOf(value: unknown): unknown[] {
  return value === undefined ? [] : Array.isArray(value) ? value : [value]
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
