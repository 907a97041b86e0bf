/**
 * Turns what happened into news for listeners and lines for the log. Listeners are strangers: one
 * that throws is logged, and nothing else in the pool hears of it.
 */
import type { SupervisorToPool } from '../../machines/supervisor-words.ts'
import type { ErrorFacts, SlotId } from '../../machines/vocabulary.ts'
import type { ProcessId, WorkerToLedger } from '../../machines/worker-words.ts'
import { attemptAll, fromErrorFacts, type TroupeError } from '../errors.ts'
import type { TaskRecord } from '../ledger/record.ts'
import type { Logger } from '../logger.ts'
import { PoolNews } from './events.ts'
import type { SucceededOutcome } from './types.ts'
import { outcomeOf } from '../task/outcome.ts'
import { copyOf } from '../task/snapshot.ts'

const ENDINGS = {
  succeeded: 'task.succeeded',
  failed: 'task.failed',
  cancelled: 'task.cancelled',
} as const

export type TaskNews = 'started' | 'progressed' | 'retried' | 'ended'

export class PoolAnnouncer {
  readonly news: PoolNews
  readonly #logger: Logger

  constructor(logger: Logger) {
    this.#logger = logger
    this.news = new PoolNews((error, type) => logger.error('a listener threw', { type, error }))
  }

  tellTask(news: TaskNews, record: TaskRecord): void {
    const { id: taskId, attempt } = record
    switch (news) {
      case 'ended':
        settle(record)
        return this.news.tell(
          ENDINGS[record.state as keyof typeof ENDINGS] as 'task.succeeded',
          () => outcomeOf(record) as SucceededOutcome,
        )
      case 'progressed':
        this.#tellProgress(record)
        return this.news.tell('task.progress', () => ({
          taskId,
          progress: copyOf(record.progress),
        }))
      case 'started':
        return this.news.tell('task.started', () => ({
          taskId,
          attempt,
          worker: record.seat?.slot as SlotId,
        }))
      case 'retried':
        return this.news.tell('task.retried', () => ({
          taskId,
          attempt,
          error: fromErrorFacts(record.error as ErrorFacts),
        }))
    }
  }

  tellStore(error: ErrorFacts | null): void {
    if (error === null) this.#logger.warn('the store can be written to again')
    else this.#logger.error('the store cannot be written to: no task starts or ends', { error })
  }

  tellStoreLost(error: TroupeError): void {
    this.#logger.error(error.message, { code: error.code })
    this.news.tell('store.lost', () => ({ error }))
  }

  tellWorkerFailed(slot: SlotId, error: ErrorFacts): void {
    this.#logger.error('worker failed for good', { worker: slot, error })
    this.news.tell('worker.failed', () => ({ slot, error: fromErrorFacts(error) }))
  }

  tellMemory({ band, ratio }: Extract<SupervisorToPool, { type: 'memory.changed' }>): void {
    this.news.tell('memory.changed', () => ({ band, ratio }))
  }

  tellSilent({ slot, incarnation }: ProcessId): void {
    this.#logger.warn('worker said nothing for too long; it is killed', {
      worker: slot,
      incarnation,
    })
    this.news.tell('worker.silent', () => ({ slot, incarnation }))
  }

  tellWorkerExited(event: Extract<WorkerToLedger, { type: 'worker.exited' }>): void {
    const { slot, incarnation, exit, cause, error } = event
    const isPlanned = cause === 'stopped' || cause === 'recycled'
    this.#logger[isPlanned ? 'debug' : 'warn']('worker exited', {
      worker: slot,
      incarnation,
      cause,
      ...exit,
      ...(error === null ? {} : { error: error.message }),
    })
    this.news.tell('worker.exited', () => ({ slot, incarnation, exit, cause }))
  }

  #tellProgress(record: TaskRecord): void {
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
