/**
 * How the tasks of a ledger end after a defect: step by step, each on its own, so that a step which
 * throws keeps no other from being taken.
 */
import type { TaskEvent } from '../../machines/task-facts.ts'
import type { ErrorFacts } from '../../machines/vocabulary.ts'
import { HALTED } from './assignment.ts'
import type { Books } from './books.ts'
import { FINAL_STATES, type TaskStateName } from './compile.ts'
import type { Counts } from './counts.ts'
import type { Dispatch } from './dispatch.ts'
import type { LedgerEvent } from './events.ts'
import type { TaskRecord } from './record.ts'

interface Parts {
  readonly dispatch: Dispatch
  readonly books: Books | null
  readonly counts: Counts
  /** Tasks that were kept from taking a step to its end, and where they came from. */
  readonly torn: Map<TaskRecord, TaskStateName>
  /** Those that have not ended, by id. */
  tasks(): Map<string, TaskRecord>
  lose(exit: Extract<LedgerEvent, { type: 'worker.exited' }>): void
  step(record: TaskRecord, event: TaskEvent): void
  /** To be told that it has ended. */
  ended(record: TaskRecord): void
}

export function* abandonment(error: ErrorFacts, parts: Parts): Generator<() => void> {
  const { dispatch, torn } = parts
  yield () => dispatch.holdAlone('pool')
  for (const { slot, incarnation } of dispatch.seats.all()) {
    yield () => parts.lose({ ...HALTED, error, slot, incarnation })
  }
  const left = () => [...parts.tasks().values()]
  for (const record of left()) yield () => parts.step(record, { type: 'pool.failed', error })
  for (const record of new Set([...left(), ...torn.keys()])) {
    yield () => giveUp(record, error, parts)
  }
  yield () => parts.books?.flush(true)
  yield () => parts.books?.close()
}

/** The end of a task that cannot be brought there by its own steps. */
function giveUp(
  record: TaskRecord,
  error: ErrorFacts,
  { torn, counts, tasks, ended }: Parts,
): void {
  tasks().delete(record.id)
  const from = torn.get(record) ?? record.state
  torn.delete(record)
  if (!FINAL_STATES.has(record.state)) {
    record.state = 'failed'
    record.error = error
  }
  counts.move(from, record.state)
  ended(record)
}
