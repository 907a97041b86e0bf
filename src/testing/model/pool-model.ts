/**
 * A pool as its user sees it: what may be asked of it in which state, and where that leads. It is the
 * shipped pool machine, beside a world in which all goes well. Paths through it are worked out by
 * XState's graph; `walk` takes a real pool along one. It starts nothing by itself.
 */
import { getAdjacencyMap, getShortestPaths } from 'xstate/graph'
import type { PoolContext } from '../../../machines/pool.setup.ts'
import { type Graph, simplePaths } from './paths.ts'
import {
  eventsAt,
  keyOf,
  logicOf,
  type ModelSnapshot,
  nameOf,
  type PoolModelEvent,
} from './pool-model-logic.ts'
import {
  type WalkablePool,
  type WalkOptions,
  walkPool,
  type PoolModelStep,
  type PoolPath,
} from './pool-walk.ts'

export interface PathFilter {
  /** Only paths that end where this holds; a state's name, or a judge of it. */
  readonly to?: string | ((state: string) => boolean)
  /** Only paths all of whose steps this holds for. */
  readonly through?: (step: PoolModelStep) => boolean
  /** Steps at most. Default 8. */
  readonly maxSteps?: number
  /** Paths at most, the shortest first. Default 1,000. */
  readonly maxPaths?: number
}

export interface PoolModelCoverage {
  readonly states: number
  readonly statesSeen: number
  readonly transitions: number
  readonly transitionsSeen: number
  /** As `running --pause`. */
  readonly missing: readonly string[]
}

export interface PoolModel {
  /** One path to each state: a shortest one. */
  shortestPaths(filter?: PathFilter): PoolPath[]
  /** Paths that together take every transition there is. */
  transitionPaths(filter?: PathFilter): PoolPath[]
  /** Every path that comes to no state twice. */
  simplePaths(filter?: PathFilter): PoolPath[]
  /** The path that such choices among what may be done give: any numbers will do. */
  pathBy(choices: readonly number[]): PoolPath
  /**
   * Takes a pool that is idle along the path and requires it to stand where the model stands, after
   * every step.
   *
   * @throws Error naming the step where the two part.
   */
  walk(path: PoolPath, pool: WalkablePool, options?: WalkOptions): Promise<void>
  /** What the walks so far have taken of the model. */
  coverage(): PoolModelCoverage
}

/** The states of XState's graph, and where their events lead. */
type Adjacency = Readonly<
  Record<
    string,
    {
      readonly state: ModelSnapshot
      readonly transitions: Readonly<
        Record<string, { readonly event: PoolModelEvent; readonly state: ModelSnapshot }>
      >
    }
  >
>

const MAX_MODEL_WORKERS = 4
const DEFAULT_MAX_STEPS = 8
const DEFAULT_MAX_PATHS = 1_000
/** More states than this would be a fault of the model. */
const MAX_STATES = 20_000

/**
 * The model of a pool with so many workers, 1–4; `scale` goes through the sizes named.
 *
 * @throws RangeError for a number of workers it does not know.
 * @example
 * const model = poolModel({ workers: 1 })
 * for (const path of model.shortestPaths({ maxSteps: 4 })) {
 *   await using pool = createPoolActor({ tasks, workers: 1 })
 *   await model.walk(path, pool)
 * }
 * model.coverage().missing
 */
export function poolModel({
  workers = 1,
  sizes = [],
}: {
  readonly workers?: number
  readonly sizes?: readonly number[]
} = {}): PoolModel {
  for (const size of [workers, ...sizes]) {
    if (Number.isInteger(size) && size >= 1 && size <= MAX_MODEL_WORKERS) continue
    throw new RangeError(`workers: a whole number from 1 to ${MAX_MODEL_WORKERS}, not ${size}`)
  }
  return new Model(workers, sizes)
}

class Model implements PoolModel {
  readonly #logic: ReturnType<typeof logicOf>
  readonly #events: (snapshot: ModelSnapshot) => readonly PoolModelEvent[]
  readonly #graph: Graph<ModelSnapshot, PoolModelEvent>
  readonly #seenStates = new Set<string>()
  readonly #seen = new Set<string>()

  constructor(workers: number, sizes: readonly number[]) {
    this.#logic = logicOf(workers)
    this.#events = (snapshot) => eventsAt(snapshot, sizes)
    const all = getAdjacencyMap(this.#logic, this.#options()) as unknown as Adjacency
    this.#graph = {
      start: keyOf(this.#logic.getInitialSnapshot()),
      nodes: new Map(
        Object.entries(all).map(([key, { state, transitions }]) => [
          key,
          {
            state,
            edges: Object.values(transitions).map(({ event, state: next }) => ({
              event,
              to: keyOf(next),
            })),
          },
        ]),
      ),
    }
  }

  shortestPaths(filter: PathFilter = {}): PoolPath[] {
    const paths = getShortestPaths(this.#logic, this.#options())
    return chosen(
      paths.map(({ steps }) =>
        // The first step is the start itself.
        pathOf(steps.slice(1).map(({ event, state }) => stepOf(event as PoolModelEvent, state))),
      ),
      filter,
    )
  }

  transitionPaths(filter: PathFilter = {}): PoolPath[] {
    const { through = () => true } = filter
    const heads = getShortestPaths(this.#logic, this.#options())
    const ways = heads.flatMap(({ steps, state }) => {
      const head = steps.slice(1).map((step) => stepOf(step.event as PoolModelEvent, step.state))
      const edges = this.#graph.nodes.get(keyOf(state))?.edges ?? []
      return edges.map(({ event }) => [
        ...head,
        stepOf(event, this.#logic.transition(state, event)),
      ])
    })
    const allowed = ways.filter((steps) => steps.every(through)).map(pathOf)
    const isBeginning = (path: PoolPath) =>
      allowed.some((other) => other.description.startsWith(`${path.description}, `))
    return chosen(
      allowed.filter((path) => !isBeginning(path)),
      filter,
    )
  }

  simplePaths(filter: PathFilter = {}): PoolPath[] {
    const { maxSteps = DEFAULT_MAX_STEPS, maxPaths = DEFAULT_MAX_PATHS } = filter
    const paths = simplePaths(this.#graph, {
      maxSteps,
      maxPaths,
      through: (event, state) => filter.through?.(stepOf(event, state)) ?? true,
      to: (state) => isGoal(filter, nameOf(state.pool.value)),
    })
    return paths.map((steps) => pathOf(steps.map(({ event, state }) => stepOf(event, state))))
  }

  pathBy(choices: readonly number[]): PoolPath {
    const steps: PoolModelStep[] = []
    let snapshot = this.#logic.getInitialSnapshot()
    for (const choice of choices) {
      const events = this.#events(snapshot)
      const event = events[Math.abs(Math.trunc(choice)) % events.length]
      if (event === undefined) break
      snapshot = this.#logic.transition(snapshot, event)
      steps.push(stepOf(event, snapshot))
    }
    return pathOf(steps)
  }

  async walk(path: PoolPath, pool: WalkablePool, options: WalkOptions = {}): Promise<void> {
    let snapshot = this.#logic.getInitialSnapshot()
    this.#seenStates.add(keyOf(snapshot))
    await walkPool(path, pool, options, (event) => {
      this.#seen.add(`${keyOf(snapshot)} ${textOf(event)}`)
      snapshot = this.#logic.transition(snapshot, event)
      this.#seenStates.add(keyOf(snapshot))
      return snapshot.pool.value
    })
  }

  coverage(): PoolModelCoverage {
    const edges = [...this.#graph.nodes].flatMap(([key, node]) =>
      node.edges.map(({ event }) => ({ key, event, state: node.state })),
    )
    const isSeen = ({ key, event }: (typeof edges)[number]) =>
      this.#seen.has(`${key} ${textOf(event)}`)
    const missing = edges.filter((edge) => !isSeen(edge))
    return {
      states: this.#graph.nodes.size,
      statesSeen: this.#seenStates.size,
      transitions: edges.length,
      transitionsSeen: edges.length - missing.length,
      missing: missing.map(({ state, event }) => `${nameOf(state.pool.value)} --${textOf(event)}`),
    }
  }

  #options() {
    return {
      events: this.#events,
      serializeState: (snapshot: ModelSnapshot) => keyOf(snapshot) as never,
      limit: MAX_STATES,
    }
  }
}

function textOf(event: PoolModelEvent): string {
  return event.type === 'scale' ? `scale ${event.workers}` : event.type
}

function stepOf(event: PoolModelEvent, { pool }: ModelSnapshot): PoolModelStep {
  return { event, state: nameOf(pool.value), workers: (pool.context as PoolContext).size }
}

function pathOf(steps: readonly PoolModelStep[]): PoolPath {
  const description = steps.map(({ event }) => textOf(event)).join(', ') || 'nothing'
  return { description, steps, state: steps.at(-1)?.state ?? 'idle' }
}

function isGoal({ to }: PathFilter, state: string): boolean {
  if (to === undefined) return true
  return typeof to === 'function' ? to(state) : state === to || state.startsWith(`${to}.`)
}

function chosen(paths: readonly PoolPath[], filter: PathFilter): PoolPath[] {
  const { maxSteps = DEFAULT_MAX_STEPS, maxPaths = DEFAULT_MAX_PATHS, through } = filter
  return paths
    .filter(({ steps, state }) => steps.length <= maxSteps && isGoal(filter, state))
    .filter(({ steps }) => through === undefined || steps.every(through))
    .toSorted((a, b) => a.steps.length - b.steps.length)
    .slice(0, maxPaths)
}
