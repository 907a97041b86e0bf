/**
 * What becomes of attempts: a child says that they started, moved on or ended, or its process is
 * gone with them. Words of an older attempt, or of a process that does not have it, have no effect.
 */
import { lossOf } from './assignment.ts'
import type { Dispatch, Step } from './dispatch.ts'
import type { AttemptReport, LedgerEvent } from './events.ts'
import type { LedgerPorts } from './ports.ts'
import type { TaskRecord } from './record.ts'
import { judged } from './retries.ts'
import type { Seat } from './seats.ts'

type Of<T extends LedgerEvent['type']> = Extract<LedgerEvent, { type: T }>
type Ended = Extract<AttemptReport, { kind: 'ended' }>

type Ports = Pick<LedgerPorts, 'announce' | 'tellWorker'>

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
    const seat = this.#dispatch.seats.find(slot, incarnation)
    if (seat === null) return
    const released = new Map<TaskRecord, Ended>()
    let ended = 0
    for (const report of reports) {
      const record = this.#find(report.taskId)
      if (record === undefined || record.attempt !== report.attempt) continue
      if (!seat.tasks.has(record) || released.has(record)) continue
      if (report.kind !== 'ended') this.#note(record, report)
      else {
        ended++
        if (report.verdict === 'released') released.set(record, report)
        else this.#end(seat, record, report)
      }
    }
    for (const record of backwards(seat, released)) {
      this.#end(seat, record, released.get(record) as Ended)
    }
    if (ended === 0) return
    this.#ports.tellWorker(slot, { type: 'tasks.ended', incarnation, count: ended })
    this.#dispatch.want()
  }

  lose(event: Of<'worker.exited'>): void {
    const { slot, incarnation, cause } = event
    const seat = this.#dispatch.seats.remove(slot, incarnation)
    if (seat === null) return
    const lost = lossOf(event)
    const tasks = backwards(seat, seat.tasks)
    for (const record of tasks) this.#dispatch.release(seat, record)
    const alone = tasks.length === 1
    for (const record of tasks) {
      this.#step(record, { type: 'attempt.lost', cause, alone, error: lost })
    }
  }

  #note(record: TaskRecord, report: Exclude<AttemptReport, Ended>): void {
    if (report.kind === 'started') {
      this.#step(record, { type: 'attempt.started' })
      this.#ports.announce('started', record)
    } else {
      record.progress = report.progress
      this.#ports.announce('progressed', record)
    }
  }

  #end(seat: Seat, record: TaskRecord, report: Ended): void {
    // What starts and ends within one frame is told as both.
    if (record.state === 'assigned') this.#ports.announce('started', record)
    this.#dispatch.release(seat, record)
    if (report.verdict === 'ok') {
      record.value = report.value
      this.#dispatch.measure(seat, record)
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
  seat: Seat,
  some: { has(record: TaskRecord): boolean; readonly size: number },
): TaskRecord[] {
  if (some.size === 0) return []
  return [...seat.tasks].filter((record) => some.has(record)).reverse()
}
