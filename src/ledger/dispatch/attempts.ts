/**
 * What becomes of attempts: a child says that they started, moved on or ended, or its process is
 * gone with them. Words of an older attempt, or of a process that does not have it, have no effect.
 */
import { lossOf } from './assignment.ts'
import type { Dispatch, Step } from './dispatch.ts'
import type { LedgerEvent } from '../events.ts'
import type { AttemptReport } from '../../process/ipc/protocol.ts'
import type { LedgerPorts } from '../ports.ts'
import type { TaskRecord } from '../task/record.ts'
import { judged } from '../task/retries.ts'
import type { WorkerCapacity } from './worker-capacity.ts'

type Of<T extends LedgerEvent['type']> = Extract<LedgerEvent, { type: T }>
type Ended = Extract<AttemptReport, { kind: 'ended' }>

type Ports = Pick<LedgerPorts, 'report' | 'sendWorker'>

export class Attempts {
  readonly #find: (id: string) => TaskRecord | undefined
  readonly #dispatch: Dispatch
  readonly #ports: Ports
  readonly #step: Step

  constructor(
    find: (id: string) => TaskRecord | undefined,
    dispatch: Dispatch,
    ports: Ports,
    step: Step,
  ) {
    this.#find = find
    this.#dispatch = dispatch
    this.#ports = ports
    this.#step = step
  }

  report({ slot, incarnation, reports }: Of<'attempts.reported'>): void {
    const worker = this.#dispatch.workers.find(slot, incarnation)
    if (worker === null) return
    const released = new Map<TaskRecord, Ended>()
    let ended = 0
    for (const report of reports) {
      const record = this.#find(report.taskId)
      if (record === undefined || record.attempt !== report.attempt) continue
      if (!worker.tasks.has(record) || released.has(record)) continue
      if (report.kind !== 'ended') this.#note(record, report)
      else {
        ended++
        if (report.verdict === 'released') released.set(record, report)
        else this.#end(worker, record, report)
      }
    }
    for (const record of backwards(worker, released)) {
      this.#end(worker, record, released.get(record) as Ended)
    }
    if (ended === 0) return
    this.#ports.sendWorker(slot, { type: 'tasks.ended', incarnation, count: ended })
    this.#dispatch.want()
  }

  lose(event: Of<'worker.exited'>): void {
    const { slot, incarnation, cause } = event
    const worker = this.#dispatch.workers.remove(slot, incarnation)
    if (worker === null) return
    const lost = lossOf(event)
    const tasks = backwards(worker, worker.tasks)
    for (const record of tasks) this.#dispatch.release(worker, record)
    const alone = tasks.length === 1
    for (const record of tasks) {
      this.#step(record, { type: 'attempt.lost', cause, alone, error: lost })
    }
  }

  #note(record: TaskRecord, report: Exclude<AttemptReport, Ended>): void {
    if (report.kind === 'started') {
      this.#step(record, { type: 'attempt.started' })
      this.#ports.report('started', record)
    } else {
      record.progress = report.progress
      this.#ports.report('progressed', record)
    }
  }

  #end(worker: WorkerCapacity, record: TaskRecord, report: Ended): void {
    // What starts and ends within one frame is told as both.
    if (record.state === 'assigned') this.#ports.report('started', record)
    this.#dispatch.release(worker, record)
    if (report.verdict === 'ok') {
      record.value = report.value
      this.#dispatch.measure(worker, record)
    }
    const error = report.error ?? null
    const verdict = judged(report.verdict, error, record.options.retryOn)
    this.#step(record, { type: 'attempt.ended', verdict, error })
  }
}

/**
 * Each that comes back goes to the front of the queue: the last first, so that they keep the order
 * in which they were assigned.
 */
function backwards(
  worker: WorkerCapacity,
  some: { has(record: TaskRecord): boolean; readonly size: number },
): TaskRecord[] {
  if (some.size === 0) return []
  return [...worker.tasks].filter((record) => some.has(record)).reverse()
}
