/**
 * States of one parent that go the same ways are put into a box together, and each common way is drawn once, from that
 * box. It says the same with a third of the arrows. The box is no state of the machine.
 */
import type { ChartAction, ChartState, ChartTransition } from './chart.ts'

interface Grouped {
  readonly root: ChartState
  readonly transitions: readonly ChartTransition[]
}

/** A box must be worth its lines. */
const LEAST_WORTH = 2.5
/** Ways that are shared count for more than members that share them: such a box means something. */
const WORTH_OF_WAY = 0.5

export function grouped(root: ChartState, transitions: readonly ChartTransition[]): Grouped {
  let all = transitions
  const visit = (state: ChartState): ChartState => {
    const states = state.states.map(visit)
    if (state.kind === 'parallel') return { ...state, states }
    const boxed = boxStates({ ...state, states }, all)
    all = boxed.transitions
    return boxed.root
  }
  return { root: visit(root), transitions: all }
}

/** Puts children of one state into boxes, the most saving box first, no child into two. */
function boxStates(state: ChartState, transitions: readonly ChartTransition[]): Grouped {
  let free = new Set(state.states.map(({ id }) => id))
  let result: Grouped = { root: state, transitions }
  for (let number = 1; ; number += 1) {
    const members = bestBox(result, free)
    if (!members || members.size === state.states.length) return result
    free = new Set([...free].filter((id) => !members.has(id)))
    result = box(result, members, `${state.id}#${number}`)
  }
}

function bestBox(
  { root, transitions }: Grouped,
  free: ReadonlySet<string>,
): ReadonlySet<string> | null {
  const ways = waysOf(root, transitions, free)
  const sets = [...ways.values()]
  const candidates = sets.flatMap((one) => sets.map((other) => intersection(one, other)))
  let best: ReadonlySet<string> | null = null
  let most = 0
  for (const members of candidates) {
    if (members.size < 2) continue
    const shared = sets.filter((sources) => isSubset(members, sources)).length
    const worth = shared * (members.size - 1 + WORTH_OF_WAY)
    if (worth >= LEAST_WORTH && worth > most) {
      best = members
      most = worth
    }
  }
  return best
}

/** Who goes each way. A way within the parent that leads to one of those who go it is none. */
function waysOf(
  root: ChartState,
  transitions: readonly ChartTransition[],
  free: ReadonlySet<string>,
): Map<string, Set<string>> {
  const ways = new Map<string, Set<string>>()
  for (const transition of transitions) {
    if (!free.has(transition.source)) continue
    const target = root.states.find((child) => holds(child, transition.target))
    const key = wayOf(transition)
    const sources = ways.get(key) ?? new Set()
    if (target?.id !== transition.source) ways.set(key, sources.add(transition.source))
  }
  for (const [key, sources] of ways) {
    const [targetId = ''] = key.split(' ')
    const target = root.states.find((child) => holds(child, targetId))
    if (target) sources.delete(target.id)
    if (sources.size < 2) ways.delete(key)
  }
  return ways
}

function wayOf({ target, event, guard, commands }: ChartTransition): string {
  return `${target} ${event} ${guard} ${commands.join()}`
}

function box({ root, transitions }: Grouped, members: ReadonlySet<string>, id: string): Grouped {
  const inside = root.states.filter((child) => members.has(child.id))
  const actions = sharedActions(inside)
  const group: ChartState = {
    id,
    name: '',
    kind: 'group',
    description: '',
    isRegion: false,
    initial: null,
    actions,
    states: inside.map((child) => ({
      ...child,
      actions: child.actions.filter((action) => !actions.some((shared) => isSame(shared, action))),
    })),
  }
  const first = inside[0]?.id
  const states = root.states.flatMap((child) =>
    child.id === first ? [group] : members.has(child.id) ? [] : [child],
  )
  return { root: { ...root, states }, transitions: lift(transitions, members, id) }
}

/** What all members do leaves from the box; the rest stays theirs. */
function lift(
  transitions: readonly ChartTransition[],
  members: ReadonlySet<string>,
  id: string,
): ChartTransition[] {
  const count = new Map<string, number>()
  for (const transition of transitions) {
    const way = wayOf(transition)
    if (members.has(transition.source)) count.set(way, (count.get(way) ?? 0) + 1)
  }
  const seen = new Set<string>()
  return transitions.flatMap((transition) => {
    const way = wayOf(transition)
    const isShared = members.has(transition.source) && count.get(way) === members.size
    if (!isShared || members.has(transition.target)) return [transition]
    if (seen.has(way)) return []
    seen.add(way)
    return [{ ...transition, source: id }]
  })
}

function sharedActions(states: readonly ChartState[]): ChartAction[] {
  const [first, ...others] = states
  const internal = (first?.actions ?? []).filter(({ when }) => when !== 'entry' && when !== 'exit')
  return internal.filter((action) =>
    others.every(({ actions }) => actions.some((other) => isSame(action, other))),
  )
}

function isSame(one: ChartAction, other: ChartAction): boolean {
  return (
    one.when === other.when && one.guard === other.guard && `${one.actions}` === `${other.actions}`
  )
}

function holds(state: ChartState, id: string): boolean {
  return state.id === id || state.states.some((child) => holds(child, id))
}

function intersection(one: ReadonlySet<string>, other: ReadonlySet<string>): Set<string> {
  return new Set([...one].filter((id) => other.has(id)))
}

function isSubset(part: ReadonlySet<string>, whole: ReadonlySet<string>): boolean {
  return [...part].every((id) => whole.has(id))
}
