/**
 * The real ledger on a virtual clock, with processes that do nothing but keep what they were given.
 * It notes what the ledger does, as short sentences, and never judges it. A planted fault stands
 * between the ledger and the rest.
 */
import { createActor } from 'xstate'
import type { CancelReason, SerializedError, ExitCause, SlotId } from '../../machines/protocol.ts'
import type { WorkerEvent } from '../../machines/worker.setup.ts'
import type { Ledger } from '../../src/ledger/ledger.ts'
import type { LedgerEvent } from '../../src/ledger/events.ts'
import type { AttemptReport, TaskOrder } from '../../src/process/ipc/protocol.ts'
import { MemoryDeadLetters } from '../../src/ledger/results/dead-letters.ts'
import { ledgerLogic } from '../../src/ledger/ledger-logic.ts'
import type { LedgerPolicy, LedgerPorts } from '../../src/ledger/ports.ts'
import { TaskRecord } from '../../src/ledger/task/record.ts'
import { MemoryResultCache } from '../../src/ledger/results/result-cache.ts'
import { relate } from '../../src/pool/admission/batch.ts'
import { DeadLetterApi } from '../../src/pool/admission/dead-letters.ts'
import { Handle, type HandleActions } from '../../src/ledger/task/handle.ts'
import { DEFAULT_TASK_OPTIONS } from '../../src/config/task-options.ts'
import { type NormalTaskOptions } from '../../src/config/task-option-checks.ts'
import { VirtualClock } from '../support/virtual-clock.ts'

export const POOL_ERROR: SerializedError = {
  code: 'WORKER_START_FAILED',
  message: 'no worker starts',
}
const HALT = { type: 'xstate.stop' } as const
export type ScenarioEvent = LedgerEvent | typeof HALT

/** A process of a slot, and the attempts it has: what a worker machine and its child would know. */
export interface FakeProcess {
  readonly slot: SlotId
  readonly incarnation: number
  readonly attempts: { taskId: string; attempt: number }[]
  isOpen: boolean
}

/** One round's tasks for one process. */
export type Assigned = Pick<FakeProcess, 'slot' | 'incarnation'> & {
  readonly tasks: FakeProcess['attempts']
}

/** A bug, planted between the ledger and the world. */
export interface Fault {
  readonly name: string
  readonly policy?: Partial<LedgerPolicy>
  /** What the ledger hears instead; null for nothing. */
  readonly event?: (event: ScenarioEvent) => ScenarioEvent | null
  readonly ports?: (ports: LedgerPorts) => LedgerPorts
}

export interface ScenarioPlan extends LedgerPolicy {
  /** From the abort of a task to the kill of its process. */
  readonly killAfterMs: number
  /** What is drawn for the jitter, in [0, 1). */
  readonly random: number
  /** Timers may fire this much too early, as those of Node do. */
  readonly earlyMs: number
}

/** Actions within one event; more means that the ledger does not come to an end. */
const MAX_ACTIONS = 10_000
/** What the calendar says when the stage begins. */
const EPOCH_MS = 1_700_000_000_000
/** Nobody steers a task by the handles of this stage. */
const HANDS_OFF: HandleActions = {
  cancel: () => {},
  stored: () => Promise.resolve(),
  timers: { setTimeout, clearTimeout },
}
const PLAN: ScenarioPlan = {
  tasksPerWorker: 1,
  cancelGraceMs: 10,
  killAfterMs: 15,
  random: 0.5,
  earlyMs: 0,
  cacheTtlMs: 0,
}

export class LedgerScenario {
  readonly plan: ScenarioPlan
  readonly clock = new VirtualClock()
  readonly ledger: Ledger
  readonly records: TaskRecord[] = []
  readonly deadLetters = new MemoryDeadLetters()
  readonly api = new DeadLetterApi(this, ({ options }) => {
    const record = this.submit(options(DEFAULT_TASK_OPTIONS))
    return new Handle(record, HANDS_OFF)
  })
  readonly resultCache = new MemoryResultCache()
  /** What the ledger did since `takeActions`, but for the assignments. */
  readonly actions: string[] = []
  /** What it assigned since `takeAssignments`. */
  readonly assignments: Assigned[] = []
  readonly processes: FakeProcess[] = []
  /** Called after each event, for whoever judges. */
  judge: (event: ScenarioEvent) => void = () => {}
  /** Called with those that came in together. */
  onAdmitted: (records: readonly TaskRecord[]) => void = () => {}
  /** Called when another task already does what a dead letter asks for. */
  onLetterMet: (id: string) => void = () => {}
  /** Called when a key was asked for, with the task that stood for it. */
  onAsked: (key: string, found: TaskRecord | null) => void = () => {}
  /** Called with what a process is told to run. */
  onOrder: (order: TaskOrder) => void = () => {}
  /** Called at each word about a task. */
  onEvent: () => void = () => {}
  /** Whether a pool would take a task now. */
  isTaking = true
  /** Whether the ledger is in the middle of an event. */
  isBusy = false
  readonly #actor
  readonly #incarnations = new Map<SlotId, number>()
  #made = 0

  constructor(plan: Partial<ScenarioPlan> = {}, fault: Fault | null = null) {
    this.plan = { ...PLAN, ...plan }
    const ports = this.#ports()
    const policy = { ...this.plan, ...fault?.policy }
    const logic = ledgerLogic(policy, fault?.ports?.(ports) ?? ports)
    this.#actor = createActor(
      {
        ...logic,
        transition: (snapshot, event, scope) => {
          this.isBusy = true
          const heard = fault?.event === undefined ? event : fault.event(event)
          try {
            if (heard !== null) logic.transition(snapshot, heard as LedgerEvent, scope)
          } catch (error) {
            this.actions.push(`threw ${String(error)}`)
          }
          this.isBusy = false
          this.#note(event.type)
          this.judge(event)
          return snapshot
        },
      },
      { id: 'ledger' },
    ).start()
    this.ledger = this.#actor.getSnapshot().context.ledger
  }

  send(event: LedgerEvent): void {
    this.#actor.send(event)
  }

  submit(options: Partial<NormalTaskOptions> = {}): TaskRecord {
    return this.submitAll([options])[0] as TaskRecord
  }

  /** As the pool's intake: each gets its parents, then all are counted in, then all are sent. */
  submitAll(batch: readonly Partial<NormalTaskOptions>[]): TaskRecord[] {
    const fresh = new Map<string, TaskRecord>()
    const records = batch.map((options) => {
      const all = { ...DEFAULT_TASK_OPTIONS, ...options }
      const found = this.#standIn(all)
      if (found !== null) return found
      const id = all.id ?? `t${++this.#made}`
      const record = new TaskRecord(id, 'noop', null, all, this.clock.nowMs())
      fresh.set(id, record)
      return record
    })
    for (const record of fresh.values()) {
      relate(record, (id) => fresh.get(id) ?? this.ledger.parent(id))
    }
    this.ledger.admitAll([...fresh.values()])
    this.records.push(...fresh.values())
    this.onAdmitted([...fresh.values()])
    for (const record of fresh.values()) this.send({ type: 'task.submitted', record })
    return records
  }

  /** The task that stands for the key, and a word about it to whoever judges. */
  #standIn({ deduplication }: NormalTaskOptions): TaskRecord | null {
    if (deduplication === undefined) return null
    const { key } = deduplication
    const found = this.ledger.completed.keys.find('noop', key, this.clock.nowMs())
    this.onAsked(key, found)
    return found
  }

  /** The slot's next process opens; one that was open there takes no more tasks. */
  open(slot: SlotId): FakeProcess {
    for (const old of this.processes) if (old.slot === slot) this.close(old)
    const incarnation = (this.#incarnations.get(slot) ?? 0) + 1
    this.#incarnations.set(slot, incarnation)
    const process: FakeProcess = { slot, incarnation, attempts: [], isOpen: true }
    this.processes.push(process)
    this.send({ type: 'worker.opened', slot, incarnation })
    return process
  }

  close(process: FakeProcess): void {
    if (!process.isOpen) return
    process.isOpen = false
    const { slot, incarnation } = process
    this.send({ type: 'worker.closed', slot, incarnation })
  }

  exit(process: FakeProcess, cause: ExitCause): void {
    const { slot, incarnation } = process
    this.processes.splice(this.processes.indexOf(process), 1)
    const exit = { code: null, signal: 'SIGKILL' }
    this.send({ type: 'worker.exited', slot, incarnation, cause, exit, error: null })
  }

  report(process: FakeProcess, reports: readonly AttemptReport[]): void {
    for (const { kind, taskId, attempt } of reports) {
      if (kind !== 'ended') continue
      const isIt = (has: { taskId: string; attempt: number }) =>
        has.taskId === taskId && has.attempt === attempt
      const index = process.attempts.findIndex(isIt)
      if (index !== -1) process.attempts.splice(index, 1)
    }
    const { slot, incarnation } = process
    this.send({ type: 'attempts.reported', slot, incarnation, reports })
  }

  cancel(record: TaskRecord, reason: CancelReason = 'requested'): void {
    this.send({ type: 'task.cancel', record, reason })
  }

  halt(): void {
    this.isTaking = false
    this.#actor.stop()
  }

  #note(type: ScenarioEvent['type']): void {
    if (type === 'intake.open') this.isTaking = true
    if (['intake.drain', 'intake.close', 'pool.failed'].includes(type)) this.isTaking = false
  }

  /** What the ledger did since the last call. */
  takeActions(): string[] {
    return this.actions.splice(0)
  }

  takeAssignments(): Assigned[] {
    return this.assignments.splice(0)
  }

  #ports(): LedgerPorts {
    const note = (action: string) => this.#noteAction(action)
    const { clock } = this
    return {
      clock: {
        nowMs: () => clock.nowMs(),
        after: (ms, callback) => clock.after(Math.max(ms - this.plan.earlyMs, 1), callback),
        defer: (callback) => clock.defer(callback),
      },
      random: () => this.plan.random,
      wallMs: () => clock.nowMs() + EPOCH_MS,
      deadLetters: this.deadLetters,
      resultCache: this.resultCache,
      sendWorker: (slot, event) => this.#hear(slot, event),
      sendPool: ({ type }) => note(`told pool ${type}`),
      sendShutdown: ({ type }) => note(`told shutdown ${type}`),
      abort: (slot, incarnation, { taskId, attempt, reason, graceMs }) =>
        note(`abort ${taskId}#${attempt} at ${slot}#${incarnation}: ${reason}, ${graceMs} ms`),
      killAfterMs: () => this.plan.killAfterMs,
      report: (events, record) => {
        note(eventsOf(events, record))
        this.onEvent()
      },
      occupied: (isOccupied) => note(`occupied ${isOccupied}`),
      unexpected: (state, type) => note(`unexpected ${type} in ${state}`),
      halted: () => note('halted'),
    }
  }

  #noteAction(action: string): void {
    if (this.actions.length > MAX_ACTIONS) throw new Error('one event does not come to an end')
    this.actions.push(action)
  }

  #hear(slot: SlotId, event: WorkerEvent): void {
    const { incarnation } = event as { incarnation: number }
    if (event.type === 'tasks.assigned') {
      const isIt = (process: FakeProcess) =>
        process.slot === slot && process.incarnation === incarnation
      const tasks = event.tasks.map(({ taskId, attempt }) => ({ taskId, attempt }))
      for (const { order } of event.tasks) this.onOrder(order as TaskOrder)
      this.processes.find(isIt)?.attempts.push(...tasks)
      this.assignments.push({ slot, incarnation, tasks })
    } else if (event.type === 'tasks.ended') {
      this.#noteAction(`told ${slot}#${incarnation} of ${event.count} ended`)
    } else if (event.type === 'worker.kill') {
      this.#noteAction(`kill ${slot}#${incarnation}: ${event.cause}`)
    } else {
      this.#noteAction(`told ${slot} ${event.type}`)
    }
  }
}

function eventsOf(events: string, { id, attempt, state, error }: TaskRecord): string {
  if (events !== 'ended') return `${events} ${id}#${attempt}`
  return `ended ${id} ${state}${state === 'succeeded' ? '' : ` ${error?.code}`}`
}
