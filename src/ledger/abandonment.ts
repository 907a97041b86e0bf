/**
 * How the tasks of a ledger end after a defect: step by step, each on its own, so that a step which
 * throws keeps no other from being taken.
 */
import type { TaskEvent } from '../../machines/task-facts.ts'
import type { ErrorFacts } from '../../machines/vocabulary.ts'
import { HALTED } from './assignment.ts'
import type { Books } from './books.ts'
import type { Dispatch } from './dispatch.ts'
import type { LedgerEvent } from './events.ts'
import type { TaskRecord } from './record.ts'

interface Parts {
  readonly dispatch: Dispatch
  readonly books: Books | null
  /** Those that have not ended. */
  tasks(): TaskRecord[]
  lose(exit: Extract<LedgerEvent, { type: 'worker.exited' }>): void
  step(record: TaskRecord, event: TaskEvent): void
  /** What its own steps could not end. */
  giveUp(record: TaskRecord): void
}

export function* abandonment(error: ErrorFacts, parts: Parts): Generator<() => void> {
  yield () => parts.dispatch.holdAlone('pool')
  for (const { slot, incarnation } of parts.dispatch.seats.all()) {
    yield () => parts.lose({ ...HALTED, error, slot, incarnation })
  }
  for (const record of parts.tasks()) yield () => parts.step(record, { type: 'pool.failed', error })
  for (const record of parts.tasks()) yield () => parts.giveUp(record)
  yield () => parts.books?.flush(true)
  yield () => parts.books?.close()
}
