/** What goes to a child with a task, what is said when the child is gone, and the wait for another. */
import { backoffMs } from '../../../machines/policy.ts'
import type { SerializedError } from '../../../machines/protocol.ts'
import type { WorkerToLedger } from '../../../machines/worker-messages.ts'
import type { TaskOrder } from '../../process/ipc/protocol.ts'
import { dependencyFacts } from '../task/dependencies.ts'
import type { TaskRecord } from '../task/record.ts'

export function orderOf(record: TaskRecord): TaskOrder {
  const order = {
    kind: 'run',
    taskId: record.id,
    attempt: record.attempt,
    name: record.name,
    payload: record.payload,
    timeoutMs: record.options.timeout,
  } as const
  const dependencies = dependencyFacts(record)
  return dependencies === undefined ? order : { ...order, dependencies }
}

export function lossOf({
  slot,
  cause,
  exit,
  error,
}: Extract<WorkerToLedger, { type: 'worker.exited' }>): SerializedError {
  const how = exit.signal === null ? `exit code ${exit.code}` : `signal ${exit.signal}`
  return {
    code: 'WORKER_LOST',
    message: `${slot} ended while the task ran (${cause}, ${how})`,
    ...(error === null ? {} : { cause: error }),
  }
}

/** The end of a process that the pool's own end has taken with it. */
export const HALTED = {
  type: 'worker.exited',
  cause: 'stopped',
  exit: { code: null, signal: 'SIGKILL' },
  error: null,
} as const

/** Milliseconds until its next start. `random` is in [0, 1). */
export function retryWaitMs({ attempt, released, options }: TaskRecord, random: number): number {
  const { type, delay, maxDelay, jitter } = options.backoff
  const backoff = { type, delayMs: delay, maxDelayMs: maxDelay, jitter }
  return backoffMs(backoff, Math.max(attempt - released, 1), random)
}
