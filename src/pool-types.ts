/**
 * The public shapes of a pool in use: task options, handles, outcomes, status, events. Types only.
 */
import type { ExitStatus, SlotId } from '../machines/vocabulary.ts'
import type { TroupeError } from './errors.ts'

/** 0 first, 100 last, 10 by default; the names stand for 0, 5, 10 and 20. */
export type Priority = number | 'urgent' | 'high' | 'normal' | 'low'

export interface BackoffOptions {
  /** Default `exponential`. */
  readonly type?: 'fixed' | 'exponential'
  /** ms before the second attempt. Default 1,000. */
  readonly delay?: number
  /** Share of the delay drawn at random, 0–1. Default 0.2. */
  readonly jitter?: number
  /** ms, the cap of exponential growth. Default 30,000. */
  readonly maxDelay?: number
}

/** Options of one task. The pool's `task` option sets defaults for all. */
export interface TaskOptions {
  /** Your own id. Default: a nanoid. A duplicate of a task that has not ended is refused. */
  readonly id?: string
  readonly priority?: Priority
  /** Starts at most, the first included. Default 3. */
  readonly attempts?: number
  readonly backoff?: BackoffOptions
  /** ms one attempt may run, 0 for no limit. Default 300,000. */
  readonly timeout?: number
  /** ms the task may wait in the queue before its first start, 0 for no limit. Default 0. */
  readonly queueTimeout?: number
  /** ms from submission until the task must have ended, 0 for no limit. Default 0. */
  readonly deadline?: number
  /** ms before it may start. Default 0. */
  readonly delay?: number
  /**
   * False: once it may have run without its end being known (its worker or browser died, it was
   * stopped by its timeout), it is not started again. Default true.
   */
  readonly idempotent?: boolean
  /** Yours: shown in status and events, never interpreted. */
  readonly metadata?: Readonly<Record<string, unknown>>
  /** Aborting it cancels the task. */
  readonly signal?: AbortSignal
}

export type TaskState =
  | 'blocked'
  | 'delayed'
  | 'queued'
  | 'assigned'
  | 'running'
  | 'cancelling'
  | 'backingOff'
  | 'succeeded'
  | 'failed'
  | 'cancelled'

/** How a task ended, with what is needed to act on it. */
export type TaskOutcome<Result = unknown, Payload = unknown> = {
  readonly taskId: string
  readonly name: string
  readonly payload: Payload
  /** Starts it took. */
  readonly attempts: number
  /** ms from submission to the last start, and from there to the end. */
  readonly waitMs: number
  readonly runMs: number
  readonly worker: SlotId | null
  /** As given with the task. */
  readonly metadata?: Readonly<Record<string, unknown>> | undefined
} & (
  | { readonly status: 'succeeded'; readonly value: Result }
  | { readonly status: 'failed'; readonly error: TroupeError }
  | { readonly status: 'cancelled'; readonly error: TroupeError }
)

export interface TaskStatus {
  readonly taskId: string
  readonly name: string
  readonly state: TaskState
  readonly attempt: number
  readonly worker: SlotId | null
  readonly progress: unknown
  /** As given with the task. */
  readonly metadata?: Readonly<Record<string, unknown>> | undefined
}

/** What `submit` gives back at once. */
export interface TaskHandle<Result = unknown, Payload = unknown> {
  readonly id: string
  status(): TaskStatus
  /**
   * Asks for the task to be stopped. True if it had not ended yet; its outcome says what came of
   * it.
   */
  cancel(): boolean
  /** The outcome, or null if `ms` pass first. Never rejects. */
  wait(ms: number): Promise<TaskOutcome<Result, Payload> | null>
  /** Resolves when the task has ended, however it ended. Never rejects. */
  outcome(): Promise<TaskOutcome<Result, Payload>>
  /** The result; rejects with the outcome's error. */
  result(): Promise<Result>
  onProgress(listener: (progress: unknown) => void): () => void
}

export interface MapOptions extends TaskOptions {
  /** Tasks under way at once. Default: twice the pool's seats. */
  readonly concurrency?: number
  /** Outcomes in the order of the input rather than of their end. Default false. */
  readonly ordered?: boolean
}

export interface WorkerStatus {
  readonly slot: SlotId
  /** The worker machine's state, as `ready.busy`. */
  readonly state: string
  readonly healthy: boolean
  readonly pid: number | null
  readonly browserPid: number | null
  readonly incarnation: number
  readonly running: readonly string[]
  readonly tasksExecuted: number
  /** Bytes, 0 before the first reading. */
  readonly memoryBytes: number
  readonly uptimeMs: number
  readonly lastActivityMs: number
  readonly restarts: number
  readonly lastError: string | null
}

export interface PoolStatus {
  readonly state: 'idle' | 'starting' | 'running' | 'paused' | 'stopping' | 'error'
  readonly health: 'healthy' | 'degraded' | 'critical'
  readonly uptimeMs: number
  readonly workers: readonly WorkerStatus[]
  readonly tasks: {
    readonly submitted: number
    /** Blocked, delayed, queued or backing off. */
    readonly pending: number
    /** Assigned, running or cancelling. */
    readonly active: number
    readonly succeeded: number
    readonly failed: number
    readonly cancelled: number
    readonly retried: number
  }
  readonly processesStarted: number
  readonly logins: number
  /** Tasks that needed no new process, of all started. 0–1. */
  readonly reuseRate: number
  /** Tasks ended per second since the start. */
  readonly throughput: number
  readonly memory: { readonly usedRatio: number; readonly workersBytes: number }
  readonly lastError: string | null
}

/** What `pool.on` can listen to. */
export interface PoolEvents {
  'pool.changed': { readonly state: PoolStatus['state'] }
  'task.started': { readonly taskId: string; readonly attempt: number; readonly worker: SlotId }
  'task.progress': { readonly taskId: string; readonly progress: unknown }
  'task.retried': { readonly taskId: string; readonly attempt: number; readonly error: TroupeError }
  'task.succeeded': TaskOutcome
  'task.failed': TaskOutcome
  'task.cancelled': TaskOutcome
  'worker.ready': { readonly slot: SlotId; readonly incarnation: number; readonly pid: number }
  'worker.exited': {
    readonly slot: SlotId
    readonly incarnation: number
    readonly exit: ExitStatus
    readonly cause: string
  }
  'worker.failed': { readonly slot: SlotId; readonly error: TroupeError }
  'worker.log': {
    readonly slot: SlotId
    readonly level: string
    readonly message: string
    readonly fields: Readonly<Record<string, unknown>>
  }
  'queue.full': { readonly maxQueue: number }
  'pool.scaled': { readonly workers: number }
  'memory.changed': { readonly band: 'normal' | 'pressure' | 'critical'; readonly ratio: number }
}
