/**
 * The actor that keeps every task and decides which one runs next. Each task moves by the compiled
 * task machine; what the machine commands (queue, timer, abort, settle) is done here. It knows no
 * process and no promise.
 */
import type { TaskCommand, TaskEvent } from '../../machines/task.setup.ts'
import type { SerializedError } from '../../machines/protocol.ts'
import { attemptAll } from '../common/errors.ts'
import { MapCompactor } from '../common/map-compactor.ts'
import { abandonment } from './abandonment.ts'
import { CompletedTasks } from './results/completed-tasks.ts'
import { HALTED } from './dispatch/assignment.ts'
import { Attempts } from './dispatch/attempts.ts'
import { Awaited } from './awaited.ts'
import { CommitGate } from './store/commit-gate.ts'
import { FINAL_STATES, step as takeStep, type TaskStateName } from './task/task-table.ts'
import { Counts } from './task/counts.ts'
import { Deadlines } from './task/deadlines.ts'
import { type TaskActions, taskActions } from './task-actions.ts'
import { Dependencies } from './task/dependencies.ts'
import { type Parent, type TaskRecord } from './task/record.ts'
import { Dispatch } from './dispatch/dispatch.ts'
import type { LedgerEvent } from './events.ts'
import type { LedgerPolicy, LedgerPorts } from './ports.ts'
import { recover } from './store/recovery.ts'
import type { WorkerCapacities } from './dispatch/worker-capacity.ts'
import type { TaskStore } from './store/store.ts'
import { TaskCalendar } from './store/stored-task.ts'

export class Ledger {
  readonly counts = new Counts()
  /** The order in which tasks run, and where. */
  readonly dispatch: Dispatch
  /** What ended tasks leave behind. */
  readonly completed: CompletedTasks
  /** Null without a durable store. */
  readonly gate: CommitGate | null
  #tasks = new Map<string, TaskRecord>()
  readonly #compactor = new MapCompactor()
  readonly #attempts: Attempts
  readonly #dependencies: Dependencies
  readonly #deadlines: Deadlines
  readonly #actions: TaskActions
  readonly #ports: LedgerPorts
  readonly #run = (record: TaskRecord, command: TaskCommand) =>
    this.#actions[command](record, this.#from)
  /** Why nothing can run, until the intake opens again: what comes back to wait ends with it. */
  #failure: SerializedError | null = null
  /** Tasks that a defect has kept from taking a step to its end, and where they came from. */
  readonly #torn = new Map<TaskRecord, TaskStateName>()
  /** Where the task that moves now comes from. */
  #from: TaskStateName = 'submitted'
  /** What moves it. */
  #event: TaskEvent = { type: 'task.accepted' }
  readonly #awaited: Awaited

  /** `send` gives an event to the actor that wraps this ledger, so that all pass one door. */
  constructor(policy: LedgerPolicy, world: LedgerPorts, send: (event: LedgerEvent) => void) {
    const isDurable = policy.isDurable === true
    this.gate = isDurable ? new CommitGate(world, () => send({ type: 'store.due' })) : null
    const ports = this.gate?.ports ?? world
    const move = (record: TaskRecord, event: TaskEvent) => this.#step(record, event)
    this.#ports = ports
    this.#awaited = new Awaited(ports)
    this.#deadlines = new Deadlines(ports.clock, () => send({ type: 'timers.due' }))
    const due = () => send({ type: 'dispatch.due' })
    this.completed = new CompletedTasks(ports, policy.cacheTtlMs)
    const isAnswered = (record: TaskRecord) => this.completed.answer(record)
    this.dispatch = new Dispatch(policy, ports, move, due, isAnswered)
    this.#dependencies = new Dependencies(move)
    this.#attempts = new Attempts((id) => this.#tasks.get(id), this.dispatch, ports, move)
    this.#actions = taskActions({
      policy,
      ports,
      dispatch: this.dispatch,
      deadlines: this.#deadlines,
      counts: this.counts,
      forget: (record) => {
        this.#tasks.delete(record.id)
        if (this.#compactor.isOver(this.#tasks.size)) this.#tasks = new Map(this.#tasks)
        if (this.gate?.keeps(record, this.#from, this.#event)) this.completed.keys.settle(record)
        else this.completed.noteEnd(record)
        this.#dependencies.note(record)
      },
    })
  }

  get queued(): number {
    return this.dispatch.queue.size
  }

  get workers(): WorkerCapacities {
    return this.dispatch.workers
  }

  has(id: string): boolean {
    return this.#tasks.has(id) || this.gate?.isUntold(id) === true
  }

  /** A task to depend on: one that has not ended, or what is still known of one that has. */
  parent(id: string): Parent | undefined {
    return this.#tasks.get(id) ?? this.completed.ended.get(id) ?? this.gate?.find(id) ?? undefined
  }

  /** The task with that id, if it has not ended, or its end is in the store. */
  find(id: string): TaskRecord | null {
    const record = this.#tasks.get(id)
    if (record !== undefined) return record
    const ended = this.gate?.find(id) ?? null
    return ended === null ? null : this.#calendar().endedRecord(ended)
  }

  /** Calls back once, after the first event that leaves fewer than `limit` tasks pending. */
  awaitRoom(limit: number, send: () => void): void {
    this.#awaited.room(limit, send)
  }

  /**
   * Counts the task in. To be called at once by who accepts it, before its `task.submitted` is
   * sent: that event may wait behind others, and until it is heard `has` and `counts` must already
   * be right. @throws STORE_FULL, STORE_FAILED, PAYLOAD_INVALID: then it was not.
   */
  admit = (record: TaskRecord): void => this.admitAll([record])

  /** All of them, or none. */
  admitAll(records: readonly TaskRecord[]): void {
    this.gate?.accept(records)
    for (const record of records) this.#countIn(record)
  }

  #countIn(record: TaskRecord): void {
    if (this.#tasks.size === 0) this.#ports.occupied(true)
    this.#tasks.set(record.id, record)
    this.counts.submit(record.state)
    this.completed.keys.admit(record)
  }

  receive(event: LedgerEvent): void {
    this.#receive(event)
    this.#dependencies.release()
    this.#awaited.send(this.counts, this.#tasks.size)
    if (event.type !== 'store.opened') this.gate?.flush(event.type === 'dispatch.due')
  }

  #receive(event: LedgerEvent): void {
    switch (event.type) {
      case 'task.submitted':
        return this.#submit(event.record)
      case 'task.cancel':
        return this.#step(event.record, { type: 'task.cancel', reason: event.reason })
      case 'attempts.reported':
        return this.#attempts.report(event)
      case 'dispatch.due':
        return this.dispatch.round()
      case 'timers.due':
        return this.#deadlines.passed((record, type) => this.#step(record, { type }))
      case 'worker.opened':
        return this.dispatch.open(event.slot, event.incarnation)
      case 'worker.closed':
        return this.workers.close(event.slot, event.incarnation)
      case 'worker.exited':
        this.#attempts.lose(event)
        return this.dispatch.exited(event)
      case 'tasks.known':
        return this.dispatch.learn(event.known)
      case 'slots.changed':
        return this.dispatch.review()
      case 'group.limited':
        return this.dispatch.limit(event.group, event.limit)
      case 'dispatch.hold':
        return this.dispatch.hold(event.holder)
      case 'dispatch.free':
        return this.dispatch.free(event.holder)
      case 'intake.open':
        this.#failure = null
        this.#awaited.forget()
        return this.dispatch.free('shutdown')
      case 'intake.drain':
        this.#awaited.end('emptied')
        return
      case 'intake.close':
        this.dispatch.hold('shutdown')
        this.#awaited.end('calmed')
        return this.#stepAll(this.#waiting(), { type: 'task.cancel', reason: 'shutdown' })
      case 'tasks.cancelAll':
        return this.#stepAll([...this.#tasks.values()], { type: 'task.cancel', reason: 'shutdown' })
      case 'pool.failed':
        this.#failure = event.error
        return this.#stepAll(this.#waiting(), { type: 'pool.failed', error: event.error })
      case 'store.opened':
        return this.#recover(event.store)
      case 'store.closed':
        return this.gate?.close()
      case 'store.due':
        return this.gate?.commit()
    }
  }

  /** The pool's actor was stopped without a shutdown: what is left ends here and now. */
  halt(): void {
    this.dispatch.halt()
    this.#deadlines.drop()
    this.#ports.halted()
    for (const { slot, incarnation } of this.workers.all()) {
      this.#attempts.lose({ ...HALTED, slot, incarnation })
    }
    this.#stepAll([...this.#tasks.values()], { type: 'task.cancel', reason: 'shutdown' })
    this.gate?.close()
  }

  /** After a defect: every task ends, whatever state the rest is in. No process is left. */
  abandon(error: SerializedError): void {
    this.#failure = error
    const { dispatch, gate, counts } = this
    const parts = {
      dispatch,
      gate,
      counts,
      torn: this.#torn,
      tasks: () => this.#tasks,
      lose: this.#attempts.lose.bind(this.#attempts),
      step: this.#step.bind(this),
      ended: this.#reportEnd.bind(this),
    }
    attemptAll(abandonment(error, parts))
    this.#awaited.send(counts, this.#tasks.size)
  }

  #recover(store: TaskStore): void {
    this.gate?.open(store)
    recover(store, {
      calendar: this.#calendar(),
      has: (id) => this.#tasks.has(id),
      parent: (id) => this.parent(id),
      admit: (record) => this.#countIn(record),
      accept: (record) => this.#submit(record),
      step: (record, event) => this.#step(record, event),
      remember: (record) => this.completed.keys.settle(record),
    })
  }

  #calendar(): TaskCalendar {
    const { clock, wallMs } = this.#ports
    return new TaskCalendar({ nowMs: clock.nowMs, wallMs })
  }

  #submit(record: TaskRecord): void {
    if (record.state !== 'submitted') return
    if (!this.#tasks.has(record.id)) this.admit(record)
    if (this.completed.answer(record)) return this.#step(record, { type: 'result.found' })
    this.#dependencies.link(record)
    this.#step(record, { type: 'task.accepted' })
    this.#dependencies.settleEnded(record)
    if (record.deadlineAtMs !== 0) this.#deadlines.update(record)
  }

  /** The one place where a task moves. */
  #step(record: TaskRecord, event: TaskEvent): void {
    const from = record.state
    try {
      this.#move(record, from, event)
    } catch (error) {
      this.#torn.set(record, from)
      throw error
    }
  }

  /** Listeners hear of it once the counts are right. */
  #move(record: TaskRecord, from: TaskStateName, event: TaskEvent): void {
    this.#from = from
    this.#event = event
    const result = (this.#ports.step ?? takeStep)(record, event, this.#run)
    if (result === 'unexpected') this.#ports.unexpected(from, event.type)
    if (from === record.state) return
    this.counts.move(from, record.state)
    this.gate?.note(record, from, event)
    if (record.state === 'assigned') this.completed.noteStart(record)
    if (record.state === 'backingOff') this.#ports.report('retried', record)
    else if (FINAL_STATES.has(record.state)) this.#reportEnd(record)
    if (this.#failure !== null) this.#step(record, { type: 'pool.failed', error: this.#failure })
  }

  #reportEnd(record: TaskRecord): void {
    if (this.#tasks.size === 0) {
      this.#deadlines.drop()
      this.dispatch.rest()
      this.#ports.occupied(false)
    }
    this.#ports.report('ended', record)
  }

  #stepAll(records: readonly TaskRecord[], event: TaskEvent): void {
    for (const record of records) this.#step(record, event)
  }

  #waiting(): TaskRecord[] {
    return [...this.#tasks.values()].filter((record) => record.worker?.tasks.has(record) !== true)
  }
}
