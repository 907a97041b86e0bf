/**
 * What the ledger needs from the world. Production gives it the real clock and the real actors; a
 * simulation its own.
 */
import type { TaskCommand, TaskEvent } from '../../machines/task-facts.ts'
import type { CancelReason, ErrorFacts, SlotId } from '../../machines/vocabulary.ts'
import type { WorkerEvent } from '../../machines/worker-facts.ts'
import type { ShutdownEvent } from '../../machines/shutdown.ts'
import type { PoolEvent } from '../../machines/pool-facts.ts'
import type { StepResult } from './compile.ts'
import type { DeadLetters } from './dead-letters.ts'
import type { OrderPolicy } from './order-plan.ts'
import type { ResultCache } from './result-cache.ts'
import type { TaskRecord } from './record.ts'

export interface Clock {
  /** Whole milliseconds since the pool was made. */
  nowMs(): number
  /** Calls back once; the function returned takes it back. */
  after(ms: number, callback: () => void): () => void
  /** Calls back once everything that is due now has been dealt with. */
  defer(callback: () => void): void
}

/** Timers as XState's clock has them. */
export interface Timers {
  setTimeout(callback: () => void, ms: number): unknown
  // oxlint-disable-next-line typescript/no-explicit-any -- what setTimeout gave, as XState has it.
  clearTimeout(timer: any): void
}

export interface LedgerPorts {
  readonly clock: Clock
  random(): number
  /** ms since 1970: only for what outlives the pool. */
  wallMs(): number
  readonly deadLetters: DeadLetters
  readonly resultCache: ResultCache
  /** The slots that have a worker or will have one again; null while nobody knows. */
  slots?(): readonly SlotId[] | null
  tellWorker(slot: SlotId, event: WorkerEvent): void
  tellPool(event: PoolEvent): void
  tellShutdown(event: ShutdownEvent): void
  /** Asks the child to stop an attempt: abort signal first, force after `graceMs`. */
  abort(
    slot: SlotId,
    incarnation: number,
    attempt: { taskId: string; attempt: number; reason: CancelReason; graceMs: number },
  ): void
  /** ms a worker may take from such a task's assignment to its start. Default 0. */
  startMs?(name: string): number
  /** ms from the abort of such a task to the kill of its process. */
  killAfterMs(name: string): number
  /** News of a task, for whoever listens. */
  announce(news: 'started' | 'progressed' | 'retried' | 'ended', record: TaskRecord): void
  /** What the task has left, a dead letter or a result, could not be kept, or not be read. */
  readonly unkept?: (record: TaskRecord, error: unknown) => void
  /** The durable store cannot write, or (null) can again. */
  readonly storeTroubled?: (error: ErrorFacts | null) => void
  /** The first unended task has come, or the last has gone. */
  occupied(isOccupied: boolean): void
  unexpected(state: string, type: string): void
  /** In place of the table's own step, where somebody watches. It takes the same. */
  readonly step?: (
    record: TaskRecord,
    event: TaskEvent,
    run: (record: TaskRecord, command: TaskCommand) => void,
  ) => StepResult
  /** The actor was stopped with the pool it belongs to. */
  halted(): void
}

export interface LedgerPolicy {
  /** A durable store will be opened; words wait for its commits. Default false. */
  readonly isDurable?: boolean
  readonly seatsPerWorker: number
  readonly cancelGraceMs: number
  /** How long a result is kept whose task does not say; 0: for as long as there is room. */
  readonly cacheTtlMs: number
  /** Default: DEFAULT_ORDER. */
  readonly order?: OrderPolicy
}
