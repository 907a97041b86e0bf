/**
 * What the ledger needs from the world. Production gives it the real clock and the real actors; a
 * simulation its own.
 */
import type { TaskCommand, TaskEvent } from '../../machines/task.setup.ts'
import type { CancelReason, SerializedError, SlotId } from '../../machines/protocol.ts'
import type { WorkerEvent } from '../../machines/worker.setup.ts'
import type { ShutdownEvent } from '../../machines/shutdown.machine.ts'
import type { PoolEvent } from '../../machines/pool.setup.ts'
import type { StepResult } from './task/task-table.ts'
import type { DeadLetters } from './results/dead-letters.ts'
import type { OrderPolicy } from '../config/order-plan.ts'
import type { ResultCache } from './results/result-cache.ts'
import type { TaskRecord } from './task/record.ts'
import type { Clock } from '../common/clock.ts'

export interface LedgerPorts {
  readonly clock: Clock
  random(): number
  /** ms since 1970: only for what outlives the pool. */
  wallMs(): number
  readonly deadLetters: DeadLetters
  readonly resultCache: ResultCache
  /** The slots that have a worker or will have one again; null while nobody knows. */
  slots?(): readonly SlotId[] | null
  sendWorker(slot: SlotId, event: WorkerEvent): void
  sendPool(event: PoolEvent): void
  sendShutdown(event: ShutdownEvent): void
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
  report(event: 'started' | 'progressed' | 'retried' | 'ended', record: TaskRecord): void
  /** What the task has left, a dead letter or a result, could not be kept, or not be read. */
  readonly unkept?: (record: TaskRecord, error: unknown) => void
  /** The durable store cannot write, or (null) can again. */
  readonly storeTroubled?: (error: SerializedError | null) => void
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
  readonly tasksPerWorker: number
  readonly cancelGraceMs: number
  /** How long a result is kept whose task does not say; 0: for as long as there is room. */
  readonly cacheTtlMs: number
  /** Default: DEFAULT_ORDER. */
  readonly order?: OrderPolicy
}
