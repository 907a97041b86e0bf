/**
 * A record, as its submitter sees it. What is handed out is a copy, made when it is handed out: the
 * payload is the next start's, the value may be a dependent's. Reads records, never changes one.
 */
import { deserializeError } from '../../common/errors.ts'
import { FINAL_STATES } from './task-table.ts'
import type { TaskRecord } from './record.ts'
import type { TaskOutcome, TaskState, TaskStatus } from '../../api/task.ts'
import { copyOf } from '../../values/snapshot.ts'

export function hasEnded(record: TaskRecord): boolean {
  return FINAL_STATES.has(record.state)
}

export function outcomeOf(record: TaskRecord): TaskOutcome {
  const started = record.attempt > 0
  const payload = copyOf(record.payload)
  const facts = {
    taskId: record.id,
    name: record.name,
    payload,
    attempts: record.attempt,
    waitMs: (started ? record.startedAtMs : record.endedAtMs) - record.submittedAtMs,
    runMs: started ? record.endedAtMs - record.startedAtMs : 0,
    worker: record.worker?.slot ?? null,
    metadata: copyOf(record.options.metadata),
  }
  if (record.state === 'succeeded') {
    const { cached } = record
    const value = copyOf(record.value)
    return { ...facts, status: 'succeeded', value, ...(cached ? { cached } : {}) }
  }
  const error = deserializeError(
    record.error ?? { code: 'TASK_FAILED', message: 'the task failed without an error' },
    { id: record.id, name: record.name, payload },
  )
  return { ...facts, status: record.state === 'cancelled' ? 'cancelled' : 'failed', error }
}

export function statusOf(record: TaskRecord): TaskStatus {
  return {
    taskId: record.id,
    name: record.name,
    state: record.state as TaskState,
    attempt: record.attempt,
    worker: record.worker?.tasks.has(record) === true ? record.worker.slot : null,
    progress: copyOf(record.progress),
    metadata: copyOf(record.options.metadata),
  }
}
