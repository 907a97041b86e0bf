/**
 * Brings the tasks of a dead or ended pool back into the ledger: what waited waits again, and an
 * attempt nobody saw the end of is a lost one, judged by the task machine like any other. So a task
 * that takes the whole pool down with it does not come back for ever.
 */
import type { TaskEvent } from '../../../machines/task.setup.ts'
import type { SerializedError } from '../../../machines/protocol.ts'
import type { Parent, TaskRecord } from '../task/record.ts'
import type { TaskStore } from './store.ts'
import type { TaskCalendar } from './stored-task.ts'

interface RecoveryParts {
  readonly calendar: TaskCalendar
  has(id: string): boolean
  /** What is known of a task that another depends on. */
  parent(id: string): Parent | undefined
  /** Counts it in as what it is. */
  admit(record: TaskRecord): void
  /** Hands in what waits. */
  accept(record: TaskRecord): void
  step(record: TaskRecord, event: TaskEvent): void
  /** A success whose key still counts. */
  remember(record: TaskRecord): void
}

const LOST: SerializedError = {
  code: 'WORKER_LOST',
  message: 'the pool itself ended while the task ran',
}

export function recover(store: TaskStore, parts: RecoveryParts): void {
  const { calendar } = parts
  for (const ended of store.remembered()) parts.remember(calendar.endedRecord(ended))
  const records: TaskRecord[] = []
  for (const stored of store.unended()) {
    if (!parts.has(stored.id)) records.push(calendar.record(stored))
  }
  for (const record of records) parts.admit(record)
  for (const record of records) join(record, parts)
  const alone = records.filter(({ state }) => state === 'running').length === 1
  for (const record of records) {
    if (record.state !== 'running') parts.accept(record)
    else parts.step(record, { type: 'attempt.lost', cause: 'crashed', alone, error: LOST })
  }
}

/** Its parents are there, or have ended. */
function join(record: TaskRecord, parts: RecoveryParts): void {
  const ids = record.options.dependsOn ?? []
  if (ids.length === 0) return
  record.family ??= { parents: [], children: new Set() }
  const parents = ids.map((id) => parts.parent(id) ?? forgotten(id))
  record.family = { ...record.family, parents }
}

function forgotten(id: string): Parent {
  const error = { code: 'TASK_FAILED', message: `how ${id} ended is no longer known` }
  return { id, state: 'failed', value: undefined, error }
}
