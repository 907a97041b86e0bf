/**
 * What the ledger needs from the world. Production gives it the real clock and the real actors; a
 * simulation its own.
 */
import type { CancelReason, SlotId } from '../../machines/vocabulary.ts'
import type { WorkerEvent } from '../../machines/worker-facts.ts'
import type { ShutdownEvent } from '../../machines/shutdown.ts'
import type { PoolEvent } from '../../machines/pool-facts.ts'
import type { TaskRecord } from './record.ts'

export interface Clock {
  /** Whole milliseconds since the pool was made. */
  nowMs(): number
  /** Calls back once; the function returned takes it back. */
  after(ms: number, callback: () => void): () => void
  /** Calls back once everything that is due now has been dealt with. */
  defer(callback: () => void): void
}

export interface LedgerPorts {
  readonly clock: Clock
  random(): number
  tellWorker(slot: SlotId, event: WorkerEvent): void
  tellPool(event: PoolEvent): void
  tellShutdown(event: ShutdownEvent): void
  /** Asks the child to stop an attempt: abort signal first, force after `graceMs`. */
  abort(
    slot: SlotId,
    incarnation: number,
    attempt: { taskId: string; attempt: number; reason: CancelReason; graceMs: number },
  ): void
  /** ms from the abort of such a task to the kill of its process. */
  killAfterMs(name: string): number
  /** News of a task, for whoever listens. */
  announce(news: 'started' | 'progressed' | 'retried' | 'ended', record: TaskRecord): void
  /** The first unended task has come, or the last has gone. */
  occupied(isOccupied: boolean): void
  unexpected(state: string, type: string): void
  /** The actor was stopped with the pool it belongs to. */
  halted(): void
}

export interface LedgerPolicy {
  readonly seatsPerWorker: number
  readonly cancelGraceMs: number
}
