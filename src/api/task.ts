/**
 * The public shapes of a pool in use: task options, handles, outcomes, dead letters. Types only.
 */
import type { SlotId } from '../../machines/protocol.ts'
import type { TroupeError } from '../common/errors.ts'

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
  /**
   * Error codes or class names of your handler's errors that are worth another attempt; every other
   * failure of the handler is permanent. Default: all but those that say so themselves.
   */
  readonly retryOn?: readonly string[]
  /**
   * Ids of tasks that must have ended before this one may start. Each must be known: not ended, or
   * among the last 10,000 to end. The handler gets their outcomes as `dependencies`.
   */
  readonly dependsOn?: readonly string[]
  /**
   * When one of them did not succeed: `fail` with DEPENDENCY_FAILED at once (default), or `run` all
   * the same once all have ended.
   */
  readonly dependencyFailure?: 'fail' | 'run'
  /**
   * A task of the same name and key that has not ended, or has succeeded less than `ttl` ms ago
   * (default 0), is given back instead of a new one. One that failed never stands in the way.
   */
  readonly deduplication?: KeyOptions
  /**
   * The result of a success is kept under this key for `ttl` ms (default: the pool's) and answers
   * the next task of the same name and key at once, marked `cached`.
   */
  readonly cache?: KeyOptions
  /**
   * Who it is for, at most 256 characters. Groups take turns within a priority, and the pool's
   * `groupConcurrency` limits how many tasks of one run at once. Tasks without one are a group too.
   */
  readonly group?: string
  /** Capabilities that its worker must have, at most 16: see the pool's `capabilities`. */
  readonly requires?: readonly string[]
  /**
   * Prefer the worker whose last task had the same key: for tasks that share what is costly to get.
   * It never waits for one.
   */
  readonly affinity?: string
  /** Name of the session it runs in, for tasks with a browser. Default `default`. */
  readonly session?: string
  /** Yours: shown in status and events, never interpreted. */
  readonly metadata?: Readonly<Record<string, unknown>>
  /** Aborting it cancels the task. */
  readonly signal?: AbortSignal
}

export interface KeyOptions<Key = string> {
  /** At most 1,024 characters. */
  readonly key: Key
  /** ms */
  readonly ttl?: number
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
  | {
      readonly status: 'succeeded'
      readonly value: Result
      /** The value was kept from an earlier task (option `cache`): this one did not run. */
      readonly cached?: true
    }
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

/** One of the tasks of `submitAll`. */
export interface TaskRequest {
  readonly name: string
  readonly payload: unknown
  readonly options?: TaskOptions | undefined
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
  /**
   * Resolves when the task is on the disk: at once, unless the store's `durability` is `batched`.
   * Rejects with STORE_FAILED when it will not be; without a store it resolves at once, for there
   * is nothing to wait for.
   */
  stored(): Promise<void>
  onProgress(listener: (progress: unknown) => void): () => void
}

/** Options of `map`. What must differ from task to task is a function of its payload. */
export interface MapOptions<Payload = unknown>
  extends Omit<TaskOptions, 'id' | 'deduplication' | 'cache'> {
  readonly id?: (payload: Payload) => string
  readonly deduplication?: KeyOptions<(payload: Payload) => string>
  readonly cache?: KeyOptions<(payload: Payload) => string>
  /** Tasks under way at once. Default: twice the pool's places. */
  readonly concurrency?: number
  /** Outcomes in the order of the input rather than of their end. Default false. */
  readonly ordered?: boolean
}

/** A task that failed, kept with everything needed to send it again. */
export interface DeadLetter {
  /** The task's id. */
  readonly id: string
  readonly name: string
  readonly payload: unknown
  readonly error: TroupeError
  /** Starts it took. */
  readonly attempts: number
  /** ms since 1970. */
  readonly submittedAt: number
  readonly failedAt: number
  readonly metadata?: Readonly<Record<string, unknown>> | undefined
}

export interface DeadLetterFilter {
  readonly name?: string
  /** The code or class name of the error, or the `code` of what your handler threw. */
  readonly errorCode?: string
}

export interface DeadLetterQuery extends DeadLetterFilter {
  /** 1–1,000. Default 100. */
  readonly limit?: number
  /** The `next` of the page before. */
  readonly after?: number
}

/** The tasks that ended `failed`, and what can be done with them. */
export interface PoolDeadLetters {
  /** One page, oldest failure first. @throws CONFIG_INVALID */
  list(query?: DeadLetterQuery): {
    readonly letters: readonly DeadLetter[]
    /** Null when this was the last page. */
    readonly next: number | null
  }
  get(id: string): DeadLetter | null
  /**
   * Submits it again under its old id, with all its options and new attempts. @throws TASK_UNKNOWN
   * when there is no such letter, or as `submit`; then the letter stays.
   */
  redrive(id: string): TaskHandle
  /** All that pass the filter, oldest first. What is refused stays, and is told. */
  redriveAll(filter?: DeadLetterFilter): {
    readonly redriven: readonly TaskHandle[]
    readonly refused: readonly { readonly id: string; readonly error: TroupeError }[]
  }
  /** True if it was there. */
  delete(id: string): boolean
  /** How many were deleted. */
  deleteAll(filter?: DeadLetterFilter): number
}
