/**
 * The actor that keeps every task and decides which one runs next. Each task moves by the compiled
 * task machine; what the machine commands (queue, timer, abort, settle) is done here. It knows no
 * process and no promise.
 */
import type { TaskCommand, TaskEvent } from '../../machines/task-facts.ts'
import type { ErrorFacts } from '../../machines/vocabulary.ts'
import { FINAL_STATES, step, type TaskStateName } from './compile.ts'
import { Counts } from './counts.ts'
import { Deadlines } from './deadlines.ts'
import type { AttemptReport, LedgerEvent } from './events.ts'
import { HALTED, lossOf, orderOf, retryWaitMs } from './assignment.ts'
import type { LedgerPolicy, LedgerPorts } from './ports.ts'
import { Queue } from './queue.ts'
import type { TaskRecord } from './record.ts'
import { type Seat, Seats } from './seats.ts'

type Of<T extends LedgerEvent['type']> = Extract<LedgerEvent, { type: T }>

export class Ledger {
  readonly counts = new Counts()
  readonly seats = new Seats()
  readonly #tasks = new Map<string, TaskRecord>()
  readonly #queue = new Queue()
  readonly #deadlines: Deadlines
  readonly #holders = new Set<string>()
  readonly #policy: LedgerPolicy
  readonly #ports: LedgerPorts
  /** Gives an event to the actor that wraps this ledger, so that all of them pass one door. */
  readonly #send: (event: LedgerEvent) => void
  readonly #run = (record: TaskRecord, command: TaskCommand) => this.#deeds[command](record)
  #dispatchIsDue = false
  /** Why nothing can run, until the intake opens again: what comes back to wait ends with it. */
  #failure: ErrorFacts | null = null
  #isHalted = false
  /** Where the task that moves now comes from. */
  #from: TaskStateName = 'submitted'
  /** Whom to tell once no task is left (`emptied`) or none runs (`calmed`). */
  readonly #awaited = new Set<'emptied' | 'calmed'>()

  constructor(policy: LedgerPolicy, ports: LedgerPorts, send: (event: LedgerEvent) => void) {
    this.#policy = policy
    this.#ports = ports
    this.#send = send
    this.#deadlines = new Deadlines(ports.clock, () => send({ type: 'timers.due' }))
  }

  get queued(): number {
    return this.#queue.size
  }

  has(id: string): boolean {
    return this.#tasks.has(id)
  }

  /**
   * Counts the task in. To be called at once by who accepts it, before its `task.submitted` is
   * sent: that event may wait behind others, and until it is heard `has` and `counts` must already
   * be right.
   */
  admit(record: TaskRecord): void {
    if (this.#tasks.size === 0) this.#ports.occupied(true)
    this.#tasks.set(record.id, record)
    this.counts.submit(record.state)
  }

  receive(event: LedgerEvent): void {
    this.#receive(event)
    this.#tellAwaited()
  }

  #receive(event: LedgerEvent): void {
    switch (event.type) {
      case 'task.submitted':
        return this.#submit(event.record)
      case 'task.cancel':
        return this.#step(event.record, { type: 'task.cancel', reason: event.reason })
      case 'attempts.reported':
        return this.#report(event)
      case 'dispatch.due':
        return this.#dispatch()
      case 'timers.due':
        return this.#deadlines.passed((record, type) => this.#step(record, { type }))
      case 'worker.opened':
        this.seats.open(event.slot, event.incarnation, this.#policy.seatsPerWorker)
        return this.#wantDispatch()
      case 'worker.closed':
        return this.seats.close(event.slot, event.incarnation)
      case 'worker.exited':
        return this.#lose(event)
      case 'dispatch.hold':
        this.#holders.add(event.holder)
        return
      case 'dispatch.free':
        this.#holders.delete(event.holder)
        return this.#wantDispatch()
      case 'intake.open':
        this.#holders.delete('shutdown')
        this.#failure = null
        this.#awaited.clear()
        return this.#wantDispatch()
      case 'intake.drain':
        this.#awaited.add('emptied')
        return
      case 'intake.close':
        this.#holders.add('shutdown')
        this.#awaited.add('calmed')
        return this.#stepAll(this.#waiting(), { type: 'task.cancel', reason: 'shutdown' })
      case 'tasks.cancelAll':
        return this.#stepAll([...this.#tasks.values()], { type: 'task.cancel', reason: 'shutdown' })
      case 'pool.failed':
        this.#failure = event.error
        return this.#stepAll(this.#waiting(), { type: 'pool.failed', error: event.error })
    }
  }

  /** The pool's actor was stopped without a shutdown: what is left ends here and now. */
  halt(): void {
    this.#isHalted = true
    this.#deadlines.drop()
    this.#ports.halted()
    for (const { slot, incarnation } of this.seats.all()) {
      this.#lose({ ...HALTED, slot, incarnation })
    }
    this.#stepAll([...this.#tasks.values()], { type: 'task.cancel', reason: 'shutdown' })
  }

  #submit(record: TaskRecord): void {
    if (record.state === 'submitted' && !this.#tasks.has(record.id)) this.admit(record)
    this.#step(record, { type: 'task.accepted' })
    if (record.deadlineAtMs !== 0) this.#deadlines.update(record)
  }

  /** The one place where a task moves. Listeners hear of it once the counts are right. */
  #step(record: TaskRecord, event: TaskEvent): void {
    const from = record.state
    this.#from = from
    const result = step(record, event, this.#run)
    if (result === 'unexpected') this.#ports.unexpected(from, event.type)
    if (from === record.state) return
    this.counts.move(from, record.state)
    if (record.state === 'backingOff') this.#ports.announce('retried', record)
    else if (FINAL_STATES.has(record.state)) this.#tellEnd(record)
    if (this.#failure !== null) this.#step(record, { type: 'pool.failed', error: this.#failure })
  }

  #tellEnd(record: TaskRecord): void {
    if (this.#tasks.size === 0) {
      this.#deadlines.drop()
      this.#ports.occupied(false)
    }
    this.#ports.announce('ended', record)
  }

  #stepAll(records: readonly TaskRecord[], event: TaskEvent): void {
    for (const record of records) this.#step(record, event)
  }

  #waiting(): TaskRecord[] {
    return [...this.#tasks.values()].filter((record) => record.seat?.tasks.has(record) !== true)
  }

  readonly #deeds: Readonly<Record<TaskCommand, (record: TaskRecord) => void>> = {
    'task.enqueue': (record) => {
      const isReleased = this.#from === 'assigned' || this.#from === 'running'
      if (isReleased) this.#queue.pushFront(record)
      else this.#queue.pushBack(record)
      const isFirst = record.attempt === 0
      this.#deadlines.set(record, 'queueTimeout.passed', isFirst ? record.options.queueTimeout : 0)
      this.#wantDispatch()
    },
    'task.dequeue': (record) => this.#queue.remove(record),
    'timer.delay': (record) => this.#deadlines.set(record, 'delay.passed', record.delayMs || 1),
    'timer.backoff': (record) =>
      this.#deadlines.set(record, 'backoff.passed', retryWaitMs(record, this.#ports.random()) || 1),
    'timer.run': (record) => this.#deadlines.set(record, 'timeout.passed', record.options.timeout),
    'timer.grace': (record) =>
      this.#deadlines.set(record, 'grace.passed', this.#ports.killAfterMs(record.name) || 1),
    'timer.clear': (record) => this.#deadlines.set(record, null, 0),
    'attempt.abort': (record) => {
      const seat = record.seat as Seat
      this.#ports.abort(seat.slot, seat.incarnation, {
        taskId: record.id,
        attempt: record.attempt,
        reason: record.reason ?? 'requested',
        graceMs: this.#policy.cancelGraceMs,
      })
    },
    'worker.kill': (record) => {
      const { slot, incarnation } = record.seat as Seat
      this.#deadlines.set(record, null, 0)
      this.#ports.tellWorker(slot, { type: 'worker.kill', incarnation, cause: 'cancelled' })
    },
    'task.retry': () => {
      this.counts.retried++
    },
    'task.settle': (record) => {
      record.endedAtMs = this.#ports.clock.nowMs()
      this.#deadlines.forget(record)
      this.#tasks.delete(record.id)
    },
  }

  #dispatch(): void {
    this.#dispatchIsDue = false
    if (this.#holders.size > 0) return
    const nowMs = this.#ports.clock.nowMs()
    const used = new Set<Seat>()
    for (let record = this.#queue.peek(); record !== null; record = this.#queue.peek()) {
      const seat = this.seats.next()
      if (seat === null) break
      seat.tasks.add(record)
      record.seat = seat
      record.startedAtMs = nowMs
      this.#step(record, { type: 'attempt.assigned' })
      seat.outbox.push({ taskId: record.id, attempt: record.attempt, order: orderOf(record) })
      used.add(seat)
    }
    for (const seat of used) {
      const { slot, incarnation, outbox: tasks } = seat
      seat.outbox = []
      this.#ports.tellWorker(slot, { type: 'tasks.assigned', incarnation, tasks })
    }
  }

  #report({ slot, incarnation, reports }: Of<'attempts.reported'>): void {
    const seat = this.seats.find(slot, incarnation)
    if (seat === null) return
    let ended = 0
    for (const report of reports) {
      const record = this.#tasks.get(report.taskId)
      if (record === undefined || record.attempt !== report.attempt) continue
      if (!seat.tasks.has(record)) continue
      if (report.kind === 'ended') {
        ended++
        this.#endAttempt(seat, record, report)
      } else if (report.kind === 'started') {
        this.#step(record, { type: 'attempt.started' })
        this.#ports.announce('started', record)
      } else {
        record.progress = report.progress
        this.#ports.announce('progressed', record)
      }
    }
    if (ended === 0) return
    this.#ports.tellWorker(slot, { type: 'tasks.ended', incarnation, count: ended })
    this.#wantDispatch()
  }

  #endAttempt(
    seat: Seat,
    record: TaskRecord,
    report: Extract<AttemptReport, { kind: 'ended' }>,
  ): void {
    // What starts and ends within one frame is told as both.
    if (record.state === 'assigned') this.#ports.announce('started', record)
    seat.tasks.delete(record)
    if (report.verdict === 'ok') record.value = report.value
    this.#step(record, {
      type: 'attempt.ended',
      verdict: report.verdict,
      error: report.error ?? null,
    })
  }

  #lose(event: Of<'worker.exited'>): void {
    const { slot, incarnation, cause } = event
    const seat = this.seats.remove(slot, incarnation)
    if (seat === null) return
    const lost = lossOf(event)
    const tasks = [...seat.tasks]
    seat.tasks.clear()
    const alone = tasks.length === 1
    // Each that comes back goes to the front of the queue: the last first, so that they keep their order.
    for (const record of tasks.reverse()) {
      this.#step(record, { type: 'attempt.lost', cause, alone, error: lost })
    }
  }

  #wantDispatch(): void {
    if (this.#dispatchIsDue) return
    this.#dispatchIsDue = true
    this.#ports.clock.defer(() => {
      if (!this.#isHalted) this.#send({ type: 'dispatch.due' })
    })
  }

  #tellAwaited(): void {
    if (this.#awaited.size === 0) return
    if (this.counts.active === 0 && this.#awaited.delete('calmed')) {
      this.#ports.tellShutdown({ type: 'ledger.calmed' })
    }
    if (this.#tasks.size === 0 && this.#awaited.delete('emptied')) {
      this.#ports.tellPool({ type: 'ledger.emptied' })
    }
  }
}
