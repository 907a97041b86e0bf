/**
 * What the task machine commands, done: queue, timer, abort, kill, settle. One action per command; it
 * never decides whether.
 */
import type { TaskCommand } from '../../machines/task.setup.ts'
import { retryWaitMs } from './dispatch/assignment.ts'
import type { TaskStateName } from './task/task-table.ts'
import type { Counts } from './task/counts.ts'
import type { Deadlines } from './task/deadlines.ts'
import type { Dispatch } from './dispatch/dispatch.ts'
import type { LedgerPolicy, LedgerPorts } from './ports.ts'
import type { TaskRecord } from './task/record.ts'
import type { WorkerCapacity } from './dispatch/worker-capacity.ts'

/** `from`: where the task that moves now comes from. */
export type TaskActions = Readonly<
  Record<TaskCommand, (record: TaskRecord, from: TaskStateName) => void>
>
interface ActionParts {
  readonly policy: LedgerPolicy
  readonly ports: LedgerPorts
  readonly dispatch: Dispatch
  readonly deadlines: Deadlines
  readonly counts: Counts
  /** It has ended and is kept no longer. */
  forget(record: TaskRecord): void
}

export function taskActions(parts: ActionParts): TaskActions {
  const { policy, ports, dispatch, deadlines, counts } = parts
  return {
    'task.enqueue': (record, from) => {
      const isReleased = from === 'assigned' || from === 'running'
      if (isReleased) dispatch.queue.pushFront(record)
      else dispatch.queue.pushBack(record)
      const isFirst = record.attempt === 0
      deadlines.set(record, 'queueTimeout.passed', isFirst ? record.options.queueTimeout : 0)
      dispatch.want()
    },
    'task.dequeue': (record) => dispatch.queue.remove(record),
    'timer.delay': (record) => deadlines.set(record, 'delay.passed', record.delayMs || 1),
    'timer.backoff': (record) =>
      deadlines.set(record, 'backoff.passed', retryWaitMs(record, ports.random()) || 1),
    'timer.run': (record, from) => {
      const { timeout } = record.options
      const hasStarted = from === 'assigned'
      // What the worker does before it runs the task is not its run: a new login, a new browser.
      const startMs = hasStarted ? 0 : (ports.startMs?.(record.name) ?? 0)
      deadlines.set(record, 'timeout.passed', timeout === 0 ? 0 : timeout + startMs)
    },
    'timer.grace': (record) =>
      deadlines.set(record, 'grace.passed', ports.killAfterMs(record.name) || 1),
    'timer.clear': (record) => deadlines.set(record, null, 0),
    'attempt.abort': (record) => {
      const worker = record.worker as WorkerCapacity
      ports.abort(worker.slot, worker.incarnation, {
        taskId: record.id,
        attempt: record.attempt,
        reason: record.reason ?? 'requested',
        graceMs: policy.cancelGraceMs,
      })
    },
    'worker.kill': (record) => {
      const { slot, incarnation } = record.worker as WorkerCapacity
      deadlines.set(record, null, 0)
      ports.sendWorker(slot, { type: 'worker.kill', incarnation, cause: 'cancelled' })
    },
    'task.retry': () => {
      counts.retried++
    },
    'task.settle': (record) => {
      record.endedAtMs = ports.clock.nowMs()
      deadlines.forget(record)
      parts.forget(record)
    },
  }
}
