/**
 * What a pool says of itself: its status, its workers, its alerts, its results so far. Types only.
 */
import type { SlotId } from '../../machines/protocol.ts'

import type { TimeSummary } from '../common/histogram.ts'

import type { TroupeError } from '../common/errors.ts'

export type { TimeSummary } from '../common/histogram.ts'

export interface WorkerStatus {
  readonly slot: SlotId
  /** The worker machine's state, as `ready.busy`; `standby` for a warm spare. */
  readonly state: string
  /** It can run tasks, or stands by to. */
  readonly healthy: boolean
  readonly pid: number | null
  readonly browserPid: number | null
  readonly incarnation: number
  /** Which session its newest process holds; null while it has none. */
  readonly session: string | null
  readonly running: readonly string[]
  readonly tasksExecuted: number
  /** Bytes, 0 before the first reading. */
  readonly memoryBytes: number
  readonly uptimeMs: number
  readonly lastActivityMs: number
  readonly restarts: number
  readonly lastError: string | null
}

export interface SessionStatus {
  readonly name: string
  /** Logins of all its workers since the pool was made. */
  readonly logins: number
  /** Who holds it, or is just opening it. */
  readonly workers: readonly SlotId[]
}

export interface PoolStatus {
  readonly state: 'idle' | 'starting' | 'running' | 'paused' | 'stopping' | 'error'
  readonly health: 'healthy' | 'degraded' | 'critical'
  readonly uptimeMs: number
  readonly workers: readonly WorkerStatus[]
  /** Workers that can run tasks now. */
  readonly activeWorkers: number
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
  readonly queue: QueueStatus
  readonly groups: GroupsStatus
  /** Of all tasks since the pool was made. */
  readonly times: {
    /** From submission, its own delay aside, to the first start. */
    readonly waitMs: TimeSummary
    /** The last attempt of each task that ran. */
    readonly runMs: TimeSummary
  }
  readonly cache: CacheStatus
  readonly deadLetters: { readonly count: number; readonly bytes: number; readonly dropped: number }
  /** What an operator should look at now, the oldest first. */
  readonly alerts: readonly PoolAlert[]
  readonly processesStarted: number
  /** Of all sessions. */
  readonly logins: number
  readonly sessions: readonly SessionStatus[]
  /** Tasks that needed no new process, of all started. 0–1. */
  readonly reuseRate: number
  /** Tasks ended per second since the start. */
  readonly throughput: number
  /** As last read; all 0 before. */
  readonly memory: {
    /** Used share of the limit, 0–1. */
    readonly usedRatio: number
    readonly usedBytes: number
    /** The smallest limit there is: physical memory, or a control group's. */
    readonly limitBytes: number
    readonly band: 'normal' | 'pressure' | 'critical'
    /** Bytes of all workers and their browsers. */
    readonly workersBytes: number
  }
  /** Share of all processors of the machine in use, 0–1; null before the second reading. */
  readonly processor: { readonly usedRatio: number | null }
  /** The fuller one of the disks written to; null before the first reading. */
  readonly disk: { readonly freeBytes: number; readonly totalBytes: number } | null
  /** What the durable store holds; null while there is none. */
  readonly store: StoreFacts | null
  readonly lastError: string | null
}

export interface QueueStatus {
  /** Tasks that may start as soon as a worker is free. */
  readonly depth: number
  /** Tasks that wait for anything at all, as `maxQueue` counts them. */
  readonly pending: number
  readonly maxQueue: number
  /** ms, over all tasks that have started. */
  readonly averageWaitMs: number
}

export interface GroupsStatus {
  /** Groups with a task that waits its turn or runs. */
  readonly count: number
  /** The first 100 of them. `pool.groupUsage` reads any. */
  readonly usage: readonly GroupUsage[]
}

export interface CacheStatus {
  readonly entries: number
  readonly bytes: number
  /** Tasks with a cache key that were answered at once, and those that had to run. */
  readonly hits: number
  readonly misses: number
}

export type AlertCode =
  | 'QUEUE_NEAR_FULL'
  | 'BREAKER_OPEN'
  | 'MEMORY_PRESSURE'
  | 'MEMORY_CRITICAL'
  | 'WORKER_FAILED'
  /** No worker can start: the pool is in `error`. */
  | 'POOL_FAILED'
  | 'WORKER_MEMORY'
  | 'DISK_LOW'
  /** The durable store was deleted, replaced or taken while it was in use. */
  | 'STORE_LOST'
  /** Memory, disk, processors or workers cannot be read: what depends on it is not judged. */
  | 'READER_FAILED_MEMORY'
  | 'READER_FAILED_DISK'
  | 'READER_FAILED_PROCESSOR'
  | 'READER_FAILED_WORKERS'
  /** No reading came for five intervals: nothing is supervised. */
  | 'READINGS_MISSING'

export interface PoolAlert {
  readonly code: AlertCode
  readonly message: string
  /** ms since 1970. */
  readonly since: number
  /** The worker it is about, where it is about one. */
  readonly slot?: SlotId
}

/** One of the last tasks to end. */
export interface RecentOutcome {
  readonly taskId: string
  readonly name: string
  readonly status: 'succeeded' | 'failed' | 'cancelled'
  /** Of a success. */
  readonly value?: unknown
  /** Of all others. */
  readonly error?: TroupeError
  readonly attempts: number
  readonly runMs: number
}

/** What has come of the tasks so far, also while more of them run. */
export interface PoolResults {
  readonly succeeded: number
  readonly failed: number
  readonly cancelled: number
  /** Not ended yet. */
  readonly unended: number
  readonly metrics: {
    /** ms since the start. */
    readonly elapsedMs: number
    /** Tasks ended per second. */
    readonly throughput: number
    /** Of the ended. 0–1; 1 when none has ended. */
    readonly successRate: number
    readonly retried: number
    readonly waitMs: TimeSummary
    readonly runMs: TimeSummary
  }
  /** The last to end, the newest first. */
  readonly recent: readonly RecentOutcome[]
}

export interface GroupUsage {
  readonly group: string
  /** Its tasks that may start as soon as there is room. */
  readonly queued: number
  /** Its tasks that a worker has. */
  readonly active: number
  /** How many may be active at once, 0 for no limit. */
  readonly limit: number
}

export interface StoreFacts {
  readonly unended: number
  readonly ended: number
  /** Of the ended, as retention counts them. */
  readonly endedBytes: number
}
