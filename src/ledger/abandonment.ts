/**
 * How the tasks of a ledger end after a defect: step by step, each on its own, so that a step which
 * throws keeps no other from being taken.
 */
import type { TaskEvent } from '../../machines/task.setup.ts'
import type { SerializedError } from '../../machines/protocol.ts'
import { HALTED } from './dispatch/assignment.ts'
import type { CommitGate } from './store/commit-gate.ts'
import { FINAL_STATES, type TaskStateName } from './task/task-table.ts'
import type { Counts } from './task/counts.ts'
import type { Dispatch } from './dispatch/dispatch.ts'
import type { LedgerEvent } from './events.ts'
import type { TaskRecord } from './task/record.ts'

interface Parts {
  readonly dispatch: Dispatch
  readonly gate: CommitGate | null
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

export function* abandonment(error: SerializedError, parts: Parts): Generator<() => void> {
  const { dispatch, torn } = parts
  yield () => dispatch.holdAlone('pool')
  for (const { slot, incarnation } of dispatch.workers.all()) {
    yield () => parts.lose({ ...HALTED, error, slot, incarnation })
  }
  const left = () => [...parts.tasks().values()]
  for (const record of left()) yield () => parts.step(record, { type: 'pool.failed', error })
  for (const record of new Set([...left(), ...torn.keys()])) {
    yield () => giveUp(record, error, parts)
  }
  yield () => parts.gate?.flush(true)
  yield () => parts.gate?.close()
}

/** The end of a task that cannot be brought there by its own steps. */
function giveUp(
  record: TaskRecord,
  error: SerializedError,
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
