/**
 * Whose turn it is and who gets it, as pure functions: the order of priorities with ageing, the
 * strategies that choose a worker, and which session a new browser is opened for. The ledger asks;
 * nothing here remembers anything.
 */

/** A session that no worker is asked for by name. */
export const DEFAULT_SESSION = 'default'
/** A worker takes so many tasks of one affinity out of turn; then the first in turn comes. */
export const MAX_AFFINITY_STREAK = 16
/** Tasks a worker must have ended before its speed says something. */
export const MIN_SPEED_SAMPLES = 5
/** Share of the newest task in a worker's measured speed. */
export const SPEED_WEIGHT = 0.2
/** More waiting tasks than this per place of a session are worth another browser for it. */
export const WORTHWHILE_BACKLOG = 4
/** A session that others wait for is left open at least so long, in ms: browsers cost. */
export const MIN_SESSION_MS = 10_000

/**
 * Where a waiting task stands: the lowest starts first. A step of priority is worth `ageingMs` of
 * waiting, so that whatever waits comes to its turn; with 0, priority is all. All age alike: who is
 * before another stays before it.
 */
export function rankOf(queuedAtMs: number, priority: number, ageingMs: number): number {
  return ageingMs === 0 ? priority : queuedAtMs + priority * ageingMs
}

/** A worker as a strategy sees it. */
export interface WorkerLoad {
  /** Tasks it has, and how many it can have. */
  readonly used: number
  readonly capacity: number
  /** ms a task has taken it lately; nothing before `samples`. */
  readonly meanMs: number
  readonly samples: number
}
/**
 * The index of the worker that gets the next task, among those with room (`isFit`); -1 for none.
 * `turn` is where the round stands: ties are broken from there on.
 */
export type Strategy = <W extends WorkerLoad>(
  workers: readonly W[],
  turn: number,
  isFit: (worker: W) => boolean,
) => number

/** The fit worker with the least cost, the first one from `turn` on. */
function cheapest<W extends WorkerLoad>(
  workers: readonly W[],
  turn: number,
  costOf: (worker: W) => number,
): number {
  let best = -1
  let least = Infinity
  for (let step = 0; step < workers.length; step++) {
    const index = (turn + step) % workers.length
    const cost = costOf(workers[index] as W)
    if (cost >= least) continue
    best = index
    least = cost
  }
  return best
}

/** Every worker with room in its turn. */
export const roundRobin: Strategy = (workers, turn, isFit) => {
  for (let step = 0; step < workers.length; step++) {
    const index = (turn + step) % workers.length
    if (isFit(workers[index] as (typeof workers)[number])) return index
  }
  return -1
}

/** The worker with the smallest share of its places in use. */
export const leastLoaded: Strategy = (workers, turn, isFit) =>
  cheapest(workers, turn, (worker) => (isFit(worker) ? worker.used / worker.capacity : Infinity))

/**
 * First every worker in its turn, until each has been measured; then the one that would have ended
 * the task first, by the speed it has shown.
 */
export const adaptive: Strategy = (workers, turn, isFit) => {
  const isUnknown = (worker: WorkerLoad) => worker.samples < MIN_SPEED_SAMPLES
  const unknown = roundRobin(workers, turn, (worker) => isUnknown(worker) && isFit(worker))
  if (unknown !== -1) return unknown
  return cheapest(workers, turn, (worker) =>
    isFit(worker) ? worker.meanMs * (worker.used + 1) : Infinity,
  )
}

export const strategies = { roundRobin, leastLoaded, adaptive } as const
export type StrategyName = keyof typeof strategies

/** The speed after one more task. */
export function meanAfter({ meanMs, samples }: WorkerLoad, runMs: number): number {
  return samples === 0 ? runMs : meanMs + SPEED_WEIGHT * (runMs - meanMs)
}

/**
 * The session that a browser about to open is for: one that tasks wait for and nobody holds, else
 * the one with the most waiting tasks per holder. Nobody waits: `otherwise`.
 *
 * @param demand Waiting tasks by session.
 * @param holders Workers that hold it or are about to, by session.
 */
export function chooseSession(
  demand: ReadonlyMap<string, number>,
  holders: ReadonlyMap<string, number>,
  otherwise: string = DEFAULT_SESSION,
): string {
  let best = otherwise
  let bestShare = 0
  for (const [session, waiting] of demand) {
    if (waiting === 0) continue
    const held = holders.get(session) ?? 0
    const share = held === 0 ? Number.MAX_SAFE_INTEGER + waiting : waiting / held
    if (share <= bestShare) continue
    best = session
    bestShare = share
  }
  return best
}

/** What waits for one session, and what there is for it. */
interface SessionDemand {
  readonly waiting: number
  /** Seats of workers that hold it or are about to. */
  readonly workers: number
}

/** True when one more worker should hold the session: nobody does, or those who do drown. */
export function wantsHolder({ waiting, workers }: SessionDemand): boolean {
  return waiting > 0 && waiting > workers * WORTHWHILE_BACKLOG
}

/** A worker that could be replaced by one with another session. */
export interface Candidate {
  /** Tasks it has. */
  readonly used: number
  /** ms since its session was opened; at least MIN_SESSION_MS when it has never had a task. */
  readonly heldMs: number
  /** Tasks wait for its session. */
  readonly isWanted: boolean
  /** No other worker holds its session. */
  readonly isLast: boolean
}

/** Tasks a worker can have at most are fewer than this. */
const FAR_BEHIND = 1_000_000

/**
 * The index of the worker to replace for a session; -1 for none yet. For one that others hold
 * already (`isHeld`), only a worker that has nothing to do, and has not just been opened. For one
 * that nobody holds, the idlest that nobody waits for, then one whose session others hold too, then
 * the last holder of a session, once it has held it long enough: so no session starves, and no
 * browser is opened for every other task.
 */
export function chooseReplacement(candidates: readonly Candidate[], isHeld: boolean): number {
  const costOf = ({ used, heldMs, isWanted, isLast }: Candidate) => {
    const isNew = heldMs < MIN_SESSION_MS
    if (isHeld) return isWanted || used > 0 || isNew ? Infinity : 0
    if (!isWanted) return used
    if (!isLast) return FAR_BEHIND + used
    return isNew ? Infinity : 2 * FAR_BEHIND + used
  }
  let best = -1
  let least = Infinity
  for (const [index, candidate] of candidates.entries()) {
    const cost = costOf(candidate)
    if (cost >= least) continue
    best = index
    least = cost
  }
  return best
}
