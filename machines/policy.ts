/**
 * Decisions as pure functions: backoff, restart intensity, memory bands, scaling. Time and
 * randomness come in as arguments, so that a machine, a model and a test decide alike.
 */
import type {
  CancelReason,
  SerializedError,
  ExitCause,
  Reading,
  SlotId,
  WorkerReading,
} from './protocol.ts'

/** A task that took its worker down with it this often, alone in it, is not started again. */
export const MAX_KILLS = 2
/** Releases cost no attempt, but they are not endless: past this, a release counts as a failure. */
export const MAX_RELEASES = 20
/** Restarts remembered for the intensity. */
export const MAX_CRASHES_KEPT = 256

/** Ends of a process that say nothing against the tasks in it. */
const OF_OTHERS: ReadonlySet<ExitCause> = new Set([
  'memoryShortage',
  'stopped',
  'recycled',
  'cancelled',
])

/**
 * True where the end of a process is held against none of its tasks. Where it is not, a task that was
 * `alone` in it is charged with it, and its slot is not: who pays is one of the two.
 */
export function isBlameless(cause: ExitCause, alone: boolean): boolean {
  return OF_OTHERS.has(cause) || (cause === 'memory' && !alone)
}

/** True where the process was ended by us, and not for a failure of its slot: the next starts at once. */
export function isPlanned(cause: ExitCause): boolean {
  return OF_OTHERS.has(cause) || cause === 'memory'
}

export interface Backoff {
  readonly type: 'fixed' | 'exponential'
  readonly delayMs: number
  readonly maxDelayMs: number
  /** Share of the delay that is drawn at random, 0–1. */
  readonly jitter: number
}

/**
 * Milliseconds to wait after the `failures`-th failure in a row (from 1). `random` is in [0, 1).
 */
export function backoffMs(backoff: Backoff, failures: number, random: number): number {
  const growth = backoff.type === 'fixed' ? 1 : 2 ** Math.min(failures - 1, 30)
  const full = Math.min(backoff.delayMs * growth, backoff.maxDelayMs)
  return Math.round(full * (1 - backoff.jitter + 2 * backoff.jitter * random))
}

/** The crashes that still count at `atMs`. */
export function crashesWithin(
  crashesMs: readonly number[],
  atMs: number,
  periodMs: number,
): number[] {
  return crashesMs.filter((crashMs) => atMs - crashMs < periodMs).slice(-MAX_CRASHES_KEPT)
}

/** How far below an edge a ratio must fall before it counts as below. */
export const EDGE_HYSTERESIS = 0.05

export type MemoryBand = 'normal' | 'pressure' | 'critical'

export interface MemoryPolicy {
  /** Used share of the limit at which pressure begins. */
  readonly pressureRatio: number
  readonly criticalRatio: number
  /** How far below a band's edge the ratio must fall to leave it. */
  readonly hysteresis: number
  /** Least time in a band before it is left downwards. */
  readonly dwellMs: number
  /** Bytes of one worker's process tree above which it is replaced; 0 for none. */
  readonly maxWorkerBytes: number
  /** Bytes above which any process is killed, whatever it is doing; 0 for none. */
  readonly killWorkerBytes: number
}

/**
 * The band for a used share of memory, seen from the band it is in now: going down takes more than
 * going up.
 */
export function memoryBand(
  policy: MemoryPolicy,
  from: MemoryBand,
  ratio: number | null,
): MemoryBand {
  // What is not known changes nothing.
  if (ratio === null) return from
  const slack = (band: MemoryBand) => (from === band ? policy.hysteresis : 0)
  if (ratio >= policy.criticalRatio - slack('critical')) return 'critical'
  const pressureSlack = from === 'normal' ? 0 : policy.hysteresis
  return ratio >= policy.pressureRatio - pressureSlack ? 'pressure' : 'normal'
}

/**
 * The worker that frees most when it goes: the largest idle one, else (`evenBusy`) the largest of
 * all.
 */
export function largestWorker(
  workers: readonly WorkerReading[],
  evenBusy: boolean,
): WorkerReading | null {
  const serving = workers.filter((worker) => worker.serving)
  const idle = serving.filter((worker) => !worker.busy)
  const among = idle.length > 0 || !evenBusy ? idle : serving
  return among.reduce<WorkerReading | null>(
    (best, worker) => (best === null || worker.memoryBytes > best.memoryBytes ? worker : best),
    null,
  )
}

/** The processes that have said nothing for too long: not slots, for a slot may have two. */
export function silentWorkers(reading: Reading, zombieAfterMs: number): WorkerReading[] {
  return reading.workers.filter((worker) => worker.silentMs > zombieAfterMs)
}

/** The processes above the limit at which nothing is waited for. */
export function burstingWorkers(reading: Reading, policy: MemoryPolicy): WorkerReading[] {
  const { killWorkerBytes } = policy
  if (killWorkerBytes === 0) return []
  return reading.workers.filter(({ memoryBytes }) => memoryBytes > killWorkerBytes)
}

/** The slots to be replaced for their size: above the soft limit and not above the hard one. */
export function oversizedSlots(reading: Reading, policy: MemoryPolicy): SlotId[] {
  if (policy.maxWorkerBytes === 0) return []
  const bursting = burstingWorkers(reading, policy)
  return reading.workers
    .filter((worker) => worker.serving && worker.memoryBytes > policy.maxWorkerBytes)
    .filter((worker) => !bursting.includes(worker))
    .map((worker) => worker.slot)
}

/** Of the room at which writing stops, how much more there must be before it begins again. */
const DISK_HYSTERESIS = 0.1

/** True while there is less room on the disk than its floor, seen from what was said last. */
export function isDiskLow(floorBytes: number, wasLow: boolean, freeBytes: number | null): boolean {
  if (floorBytes === 0) return false
  if (freeBytes === null) return wasLow
  return freeBytes < floorBytes * (wasLow ? 1 + DISK_HYSTERESIS : 1)
}

/** True while a ratio is at or past an edge, seen from what was said last. */
export function isPastEdge(edge: number, wasPast: boolean, ratio: number): boolean {
  return ratio >= (wasPast ? edge - EDGE_HYSTERESIS : edge)
}

export interface ScalingPolicy {
  readonly minWorkers: number
  readonly maxWorkers: number
  /** Share of places in use at which a worker is added, and below which one is taken away. */
  readonly upAt: number
  readonly downAt: number
  /** How long the load must have been low before a worker is taken away. */
  readonly idleMs: number
}

/** A pool of a fixed size is what its user says, whatever the load. */
function isElastic(policy: ScalingPolicy): boolean {
  return policy.maxWorkers > policy.minWorkers
}

/** True when the pool may have fewer workers than it has: then some go when memory is short. */
export function mayGiveBack(policy: ScalingPolicy, size: number): boolean {
  return isElastic(policy) && size > policy.minWorkers
}

/** True when the load asks for one more worker. */
export function wantsMore(policy: ScalingPolicy, reading: Reading, size: number): boolean {
  return (
    isElastic(policy) &&
    size < policy.maxWorkers &&
    reading.utilization >= policy.upAt &&
    reading.queued > 0
  )
}

/** True when the load would be carried by one worker less. */
export function wantsLess(policy: ScalingPolicy, reading: Reading, size: number): boolean {
  return mayGiveBack(policy, size) && reading.utilization <= policy.downAt && reading.queued === 0
}

/** What a task's end says of a stop we asked for. */
export function stopError(reason: CancelReason, last: SerializedError | null): SerializedError {
  const cause = last === null ? {} : { cause: last }
  switch (reason) {
    case 'requested':
      return { code: 'TASK_CANCELLED', message: 'the task was cancelled', ...cause }
    case 'shutdown':
      return { code: 'TASK_CANCELLED', message: 'the pool was shut down', ...cause }
    case 'timedOut':
      return { code: 'TASK_TIMED_OUT', message: 'the task ran past its timeout', ...cause }
    case 'expired':
      return { code: 'TASK_EXPIRED', message: 'the task did not end by its deadline', ...cause }
  }
}
