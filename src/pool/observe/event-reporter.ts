/**
 * Turns what happened into news for listeners and lines for the log. Listeners are strangers: one
 * that throws is logged, and nothing else in the pool hears of it.
 */
import type { SupervisorToPool } from '../../../machines/supervisor-messages.ts'
import type { SerializedError, SlotId } from '../../../machines/protocol.ts'
import type { ProcessId, WorkerToLedger } from '../../../machines/worker-messages.ts'
import { attemptAll, deserializeError, type TroupeError } from '../../common/errors.ts'
import type { TaskRecord } from '../../ledger/task/record.ts'
import type { Logger } from '../../common/logger.ts'
import { PoolEventEmitter } from './emitter.ts'
import type { SucceededOutcome } from '../../api/events.ts'
import { outcomeOf } from '../../ledger/task/outcome.ts'
import { copyOf } from '../../values/snapshot.ts'

const ENDINGS = {
  succeeded: 'task.succeeded',
  failed: 'task.failed',
  cancelled: 'task.cancelled',
} as const

type TaskEventName = 'started' | 'progressed' | 'retried' | 'ended'

export class EventReporter {
  readonly events: PoolEventEmitter
  readonly #logger: Logger

  constructor(logger: Logger) {
    this.#logger = logger
    this.events = new PoolEventEmitter((error, type) =>
      logger.error('a listener threw', { type, error }),
    )
  }

  reportTask(events: TaskEventName, record: TaskRecord): void {
    const { id: taskId, attempt } = record
    switch (events) {
      case 'ended':
        settle(record)
        return this.events.emit(
          ENDINGS[record.state as keyof typeof ENDINGS] as 'task.succeeded',
          () => outcomeOf(record) as SucceededOutcome,
        )
      case 'progressed':
        this.#reportProgress(record)
        return this.events.emit('task.progress', () => ({
          taskId,
          progress: copyOf(record.progress),
        }))
      case 'started':
        return this.events.emit('task.started', () => ({
          taskId,
          attempt,
          worker: record.worker?.slot as SlotId,
        }))
      case 'retried':
        return this.events.emit('task.retried', () => ({
          taskId,
          attempt,
          error: deserializeError(record.error as SerializedError),
        }))
    }
  }

  reportStore(error: SerializedError | null): void {
    if (error === null) this.#logger.warn('the store can be written to again')
    else this.#logger.error('the store cannot be written to: no task starts or ends', { error })
  }

  sendStoreLost(error: TroupeError): void {
    this.#logger.error(error.message, { code: error.code })
    this.events.emit('store.lost', () => ({ error }))
  }

  reportWorkerFailed(slot: SlotId, error: SerializedError): void {
    this.#logger.error('worker failed for good', { worker: slot, error })
    this.events.emit('worker.failed', () => ({ slot, error: deserializeError(error) }))
  }

  sendMemory({ band, ratio }: Extract<SupervisorToPool, { type: 'memory.changed' }>): void {
    this.events.emit('memory.changed', () => ({ band, ratio }))
  }

  reportSilent({ slot, incarnation }: ProcessId): void {
    this.#logger.warn('worker said nothing for too long; it is killed', {
      worker: slot,
      incarnation,
    })
    this.events.emit('worker.silent', () => ({ slot, incarnation }))
  }

  reportWorkerExited(event: Extract<WorkerToLedger, { type: 'worker.exited' }>): void {
    const { slot, incarnation, exit, cause, error } = event
    const isPlanned = cause === 'stopped' || cause === 'recycled'
    this.#logger[isPlanned ? 'debug' : 'warn']('worker exited', {
      worker: slot,
      incarnation,
      cause,
      ...exit,
      ...(error === null ? {} : { error: error.message }),
    })
    this.events.emit('worker.exited', () => ({ slot, incarnation, exit, cause }))
  }

  #reportProgress(record: TaskRecord): void {
    for (const listener of record.watch?.progressed ?? []) {
      try {
        listener(copyOf(record.progress))
      } catch (error) {
        this.#logger.error('a listener threw', { type: 'task.progress', error })
      }
    }
  }
}

/** Tells those who wait for the end of the task. Once: afterwards nobody does. */
export function settle(record: TaskRecord): void {
  const { watch } = record
  record.watch = null
  if (watch !== null) attemptAll(watch.ended.map((listener) => () => listener(record)))
}
