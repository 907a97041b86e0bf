/** What goes to a child with a task, and what is said of a task whose child is gone. */
import type { ErrorFacts } from '../../machines/vocabulary.ts'
import type { WorkerToLedger } from '../../machines/worker-words.ts'
import type { RunOrder } from '../worker/protocol.ts'
import type { TaskRecord } from './record.ts'

export function orderOf(record: TaskRecord): RunOrder {
  return {
    kind: 'run',
    taskId: record.id,
    attempt: record.attempt,
    name: record.name,
    payload: record.payload,
    timeoutMs: record.options.timeout,
  }
}

export function lossOf({
  slot,
  cause,
  exit,
  error,
}: Extract<WorkerToLedger, { type: 'worker.exited' }>): ErrorFacts {
  const how = exit.signal === null ? `exit code ${exit.code}` : `signal ${exit.signal}`
  return {
    code: 'WORKER_LOST',
    message: `${slot} ended while the task ran (${cause}, ${how})`,
    ...(error === null ? {} : { cause: error }),
  }
}
