/**
 * The words every machine speaks: ids, verdicts, outcomes, causes and the events that travel
 * between actors. One file, so that an event means the same to its sender and to its receiver. It
 * never holds behaviour.
 */

/** A worker's place in the pool: `worker-1` … `worker-N`. Stable for the life of the pool. */
export type SlotId = `worker-${number}`

/** How a process ended. Exactly one of the two is set. */
export interface ExitStatus {
  readonly code: number | null
  readonly signal: string | null
}

/**
 * An error as data: what crosses a process border or lies in a store. `code` is a TroupeErrorCode.
 */
export interface SerializedError {
  readonly code: string
  readonly message: string
  readonly name?: string
  readonly stack?: string
  readonly retryable?: boolean
  /** The `code` that a thrown error of somebody else's carried, as `ECONNRESET`. */
  readonly ownCode?: string
  /** What the handler or the system threw beneath our own error. */
  readonly cause?: SerializedError
}

/** What one attempt's end means. `released` costs no attempt. */
export type Verdict = 'ok' | 'retryable' | 'permanent' | 'cancelled' | 'released'

/** Why a task is being stopped before its handler has ended. */
export type CancelReason = 'requested' | 'timedOut' | 'expired' | 'shutdown'

/**
 * A command's action threw. It is told to the machine that gave the command, after the step in which
 * it did. `incarnation`: the process it was about, or null.
 */
export interface PortFailed {
  readonly type: 'port.failed'
  readonly port: string
  readonly incarnation: number | null
  readonly error: SerializedError
}

/**
 * Why a worker's process ends. The first five count against the restart intensity, but for a death that
 * a task is charged with (`isBlameless` in `policy.ts`).
 */
export type ExitCause =
  | 'crashed'
  /** It sent what cannot be read, or what was not its to say. */
  | 'violated'
  | 'startFailed'
  | 'startTimedOut'
  | 'silent'
  /** It was past the limit of one worker. */
  | 'memory'
  /** The machine was short of memory, and it was the largest. */
  | 'memoryShortage'
  | 'stopped'
  | 'recycled'
  | 'cancelled'

/** Who holds dispatch back. The ledger starts nothing while any of them does. */
export type DispatchHolder = 'pool' | 'memory' | 'disk' | 'breaker' | 'shutdown'

/** One attempt handed to a worker. `order` is opaque to the machines. */
export interface Assignment {
  readonly taskId: string
  readonly attempt: number
  readonly order: unknown
}

/** What the monitor saw of one worker. */
export interface WorkerReading {
  readonly slot: SlotId
  readonly incarnation: number
  /** It takes tasks: it is neither starting nor on its way out. */
  readonly serving: boolean
  /** Bytes of the worker's whole process tree, as PSS. */
  readonly memoryBytes: number
  /** Milliseconds since the last frame from its process. */
  readonly silentMs: number
  readonly busy: boolean
}

/** What the monitor saw of the machine and the pool, once an interval. */
export interface Reading {
  readonly atMs: number
  /** Used share of the memory limit, 0–1; null while unknown. */
  readonly memoryRatio: number | null
  /** Bytes left where profiles and artifacts are written; null while unknown. */
  readonly diskFreeBytes: number | null
  /** Share of places in use, 0–1, and tasks waiting. */
  readonly utilization: number
  readonly queued: number
  /** Workers that serve. */
  readonly ready: number
  readonly workers: readonly WorkerReading[]
}

/** Config for an event that a state knows and deliberately ignores. */
export function ignore<const T extends string>(...types: T[]): Record<T, Record<never, never>> {
  return Object.fromEntries(types.map((type) => [type, {}])) as Record<T, Record<never, never>>
}
