/** Paths through a graph that come to no node twice, shortest first: bounded, for there are many. */

interface GraphEdge<Event> {
  readonly event: Event
  readonly to: string
}

export interface Graph<State, Event> {
  readonly start: string
  readonly nodes: ReadonlyMap<
    string,
    { readonly state: State; readonly edges: readonly GraphEdge<Event>[] }
  >
}

interface GraphStep<State, Event> {
  readonly event: Event
  readonly state: State
}

interface SimplePathLimits<State, Event> {
  readonly maxSteps: number
  readonly maxPaths: number
  /** Which steps may be taken. */
  readonly through: (event: Event, state: State) => boolean
  /** Where a path may end. */
  readonly to: (state: State) => boolean
}

interface Way<State, Event> {
  readonly at: string
  readonly visited: ReadonlySet<string>
  readonly steps: readonly GraphStep<State, Event>[]
}

export function simplePaths<State, Event>(
  { start, nodes }: Graph<State, Event>,
  { maxSteps, maxPaths, through, to }: SimplePathLimits<State, Event>,
): (readonly GraphStep<State, Event>[])[] {
  const found: (readonly GraphStep<State, Event>[])[] = []
  const none: readonly GraphStep<State, Event>[] = []
  let ways: Way<State, Event>[] = [{ at: start, visited: new Set([start]), steps: none }]
  for (let length = 0; length <= maxSteps && ways.length > 0; length++) {
    const next: Way<State, Event>[] = []
    for (const way of ways) {
      const node = nodes.get(way.at)
      if (node === undefined) continue
      if (to(node.state)) found.push(way.steps)
      if (found.length === maxPaths) return found
      for (const { event, to: key } of node.edges) {
        const target = nodes.get(key)
        if (target === undefined || way.visited.has(key)) continue
        if (!through(event, target.state)) continue
        const steps = [...way.steps, { event, state: target.state }]
        next.push({ at: key, visited: new Set([...way.visited, key]), steps })
      }
    }
    // Each way of this length ends at most once: no more of them can be wanted.
    ways = next.slice(0, MAX_WAYS)
  }
  return found
}

/** Ways followed at once. */
const MAX_WAYS = 100_000
