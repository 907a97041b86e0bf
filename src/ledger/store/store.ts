/**
 * The port for where tasks live beyond the ledger's memory: what was accepted, what has started,
 * how it ended. The ledger says what changed and commits once per event; a store never decides what
 * becomes of a task.
 */
import type { SerializedError, SlotId } from '../../../machines/protocol.ts'
import type { TroupeError } from '../../common/errors.ts'
import type { NormalTaskOptions } from '../../config/task-option-checks.ts'
import type { DeadLetters } from '../results/dead-letters.ts'
import type { TaskRecord } from '../task/record.ts'
import type { ResultCache } from '../results/result-cache.ts'
import type { StoreFacts } from '../../api/status.ts'
/** A store that could not write tries again after so long. */
export const STORE_RETRY_MS = 1_000
/** A store looks after its file this often, and answers those who ask whose it is. */
export const STORE_LOOK_MS = 1_000

/** The part of a store's clock that outlives a process. */
export interface StoreClock {
  /** ms since the pool was made, as in a TaskRecord. */
  nowMs(): number
  /** ms since 1970. */
  wallMs(): number
}

/** Why a task is written again. */
export type Change =
  /** Given to a worker: from now on this start counts, whatever comes. */
  | 'started'
  /** Back from a worker; it waits for another start. */
  | 'waits'
  /** Stopped by the end of the pool, not by its own: it waits for the next pool, and this start cost nothing. */
  | 'kept'
  | 'ended'

/** A task that has not ended, as it comes back. Times are ms since 1970. */
export interface StoredTask {
  /** Its key in the store. */
  readonly seq: number
  readonly id: string
  readonly name: string
  readonly payload: unknown
  readonly options: NormalTaskOptions
  readonly submittedAt: number
  readonly attempt: number
  readonly released: number
  readonly kills: number
  /** A worker had it, and nobody knows how far it came. */
  readonly isRunning: boolean
  /** Not before this; 0 for at once. */
  readonly dueAt: number
  readonly error: SerializedError | null
}

/** A task that has ended. Times are ms since 1970. */
export interface EndedTask {
  readonly id: string
  readonly name: string
  readonly payload: unknown
  readonly options: NormalTaskOptions
  readonly state: 'succeeded' | 'failed' | 'cancelled'
  readonly value: unknown
  readonly error: SerializedError | null
  readonly attempt: number
  readonly submittedAt: number
  readonly startedAt: number
  readonly endedAt: number
  readonly worker: SlotId | null
}

export interface TaskStore {
  readonly deadLetters: DeadLetters
  readonly resultCache: ResultCache
  readonly facts: StoreFacts
  /** Called when something was noted that no event of the ledger brought: a commit is wanted. */
  noted: () => void
  /**
   * Takes tasks in, all or none: durable when it returns, or (batched) with the next commit. @throws
   * PAYLOAD_INVALID, STORE_FULL, STORE_FAILED
   */
  accept(records: readonly TaskRecord[]): void
  /** True until what was accepted is durable. */
  readonly isAccepting: boolean
  /** Notes that the task must be written again. Nothing is lost when a commit fails. */
  change(record: TaskRecord, change: Change): void
  /**
   * Writes everything noted since the last time, or nothing of it. `changes`: what was accepted is
   * left, with all that happened to it since, so that a turn's tasks are synced once. @throws
   * STORE_FULL, STORE_FAILED
   */
  commit(what?: 'all' | 'changes'): void
  /** In the order in which they were accepted. Not to be read while it is written to. */
  unended(): Iterable<StoredTask>
  /** How the last task of that id ended, if it is still kept. */
  find(id: string): EndedTask | null
  /** Successes whose deduplication keys still count. */
  remembered(): Iterable<EndedTask>
  /** True when the file is not there any more: what is written to it outlives nothing. */
  readonly isGone?: boolean
  /** Looks whether the store is still the one that was opened; the error says what became of it. */
  check?(): TroupeError | null
  /** Copies all that was committed into a new file. @throws CONFIG_INVALID, STORE_FULL, STORE_FAILED */
  backup?(path: string): Promise<void>
  close(): void
}
