/**
 * Every deadline of every task: a heap of records, and one real timer for its top. It tells what is
 * due; what that means is the task machine's.
 */
import type { Clock } from '../../common/clock.ts'
import type { TaskRecord, TimerEvent } from './record.ts'
import { TimerHeap } from './timer-heap.ts'

export class Deadlines {
  readonly #heap = new TimerHeap()
  readonly #clock: Clock
  readonly #onDue: () => void
  #timer: { atMs: number; cancel: () => void } | null = null

  constructor(clock: Clock, onDue: () => void) {
    this.#clock = clock
    this.#onDue = onDue
  }

  /** One timer at a time for the state a task is in; 0 ms is none. */
  set(record: TaskRecord, event: TimerEvent | null, ms: number): void {
    if (ms === 0 && record.timerAtMs === 0) return
    record.timerEvent = ms === 0 ? null : event
    record.timerAtMs = ms === 0 ? 0 : this.#clock.nowMs() + ms
    this.update(record)
  }

  /** After the record's own times were changed. */
  update(record: TaskRecord): void {
    this.#heap.update(record)
    this.#wantTimer()
  }

  /** The task has ended: none of its times matters any more. */
  forget(record: TaskRecord): void {
    record.deadlineAtMs = 0
    this.#heap.update(record)
  }

  /** Hands out what is due by now, each taken out first: what comes of it may set another. */
  passed(take: (record: TaskRecord, type: TimerEvent | 'deadline.passed') => void): void {
    this.#timer = null
    const nowMs = this.#clock.nowMs()
    for (let record = this.#heap.due(nowMs); record !== null; record = this.#heap.due(nowMs)) {
      take(record, this.#takeOut(record, nowMs))
    }
    this.#wantTimer()
  }

  drop(): void {
    this.#timer?.cancel()
    this.#timer = null
  }

  #takeOut(record: TaskRecord, nowMs: number): TimerEvent | 'deadline.passed' {
    const isDeadline = record.deadlineAtMs !== 0 && record.deadlineAtMs <= nowMs
    const type = isDeadline ? 'deadline.passed' : (record.timerEvent as TimerEvent)
    if (isDeadline) {
      record.deadlineAtMs = 0
    } else {
      record.timerEvent = null
      record.timerAtMs = 0
    }
    this.#heap.update(record)
    return type
  }

  /** The real timer is only ever moved to an earlier time; one that fires early finds nothing due. */
  #wantTimer(): void {
    const atMs = this.#heap.nextAtMs
    if (atMs === 0 || (this.#timer !== null && this.#timer.atMs <= atMs)) return
    this.drop()
    const ms = Math.max(atMs - this.#clock.nowMs(), 1)
    this.#timer = { atMs, cancel: this.#clock.after(ms, this.#onDue) }
  }
}
