/**
 * The real ledger on a virtual clock with workers that hold sessions: a process is started for the
 * session the ledger chooses, opens some time later, and makes way when it is asked to. It notes who
 * asked for what and shows each step of a task to whoever watches; it judges nothing.
 */
import type { TaskEvent } from '../../machines/task.setup.ts'
import type { ExitCause, SlotId } from '../../machines/protocol.ts'
import { step } from '../../src/ledger/task/task-table.ts'
import { MemoryDeadLetters } from '../../src/ledger/results/dead-letters.ts'
import type { LedgerEvent } from '../../src/ledger/events.ts'
import { Ledger } from '../../src/ledger/ledger.ts'
import { DEFAULT_ORDER, type OrderPolicy } from '../../src/config/order-plan.ts'
import { TaskRecord } from '../../src/ledger/task/record.ts'
import { MemoryResultCache } from '../../src/ledger/results/result-cache.ts'
import type { KnownTasks } from '../../src/ledger/queue/requirement-classes.ts'
import { DEFAULT_TASK_OPTIONS } from '../../src/config/task-options.ts'
import { type NormalTaskOptions } from '../../src/config/task-option-checks.ts'
import { VirtualClock } from '../support/virtual-clock.ts'

/** Nobody is asked again before this much time has passed. */
const ASKED_AGAIN_MS = 30_000

/** A process of a slot. `starting`: told its session, not yet taking tasks. */
export interface ScenarioProcess {
  readonly slot: SlotId
  readonly incarnation: number
  readonly session: string
  state: 'starting' | 'open' | 'closed'
  /** When it was asked to make way. */
  askedAtMs: number | null
  readonly tasks: TaskRecord[]
}

export interface OrderPlan extends Partial<OrderPolicy> {
  readonly tasksPerWorker?: number
}

interface Watcher {
  /** A task is about to make a step. */
  before?(record: TaskRecord, event: TaskEvent): void
  after?(record: TaskRecord, from: TaskRecord['state'], event: TaskEvent): void
}

export class OrderScenario {
  readonly clock = new VirtualClock()
  readonly ledger: Ledger
  readonly records: TaskRecord[] = []
  readonly processes: ScenarioProcess[] = []
  readonly ended: TaskRecord[] = []
  /** How often a worker was asked to make way. */
  asks = 0
  /** The slots that have a worker or will have one again; null while nobody knows. */
  slots: SlotId[] | null = null
  readonly tasksPerWorker: number
  watcher: Watcher = {}
  readonly #incarnations = new Map<SlotId, number>()

  constructor({ tasksPerWorker = 1, ...order }: OrderPlan = {}) {
    this.tasksPerWorker = tasksPerWorker
    const { clock } = this
    this.ledger = new Ledger(
      {
        tasksPerWorker,
        cancelGraceMs: 0,
        cacheTtlMs: 0,
        order: { ...DEFAULT_ORDER, ...order },
      },
      {
        clock,
        random: () => 0.5,
        wallMs: () => clock.nowMs(),
        deadLetters: new MemoryDeadLetters(0),
        resultCache: new MemoryResultCache(0),
        sendWorker: (slot, event) => {
          if (event.type === 'retire.requested') this.#ask(slot, event.incarnation)
        },
        slots: () => this.slots,
        sendPool: () => {},
        sendShutdown: () => {},
        abort: () => {},
        killAfterMs: () => 1,
        report: (events, record) => {
          if (events === 'ended') this.ended.push(record)
        },
        occupied: () => {},
        unexpected: (state, type) => {
          throw new Error(`${type} was not expected in ${state}`)
        },
        step: (record, event, run) => this.#step(record, event, run),
        halted: () => {},
      },
      (event) => this.send(event),
    )
  }

  send(event: LedgerEvent): void {
    this.ledger.receive(event)
  }

  learn(known: { sessions: readonly string[]; plain?: readonly string[] }): void {
    const { sessions, plain = [] } = known
    const all: KnownTasks = { sessions: new Set(sessions), plain: new Set(plain) }
    this.send({ type: 'tasks.known', known: all })
  }

  submit(options: Partial<NormalTaskOptions> = {}, name = 'noop'): TaskRecord {
    const id = `t${this.records.length + 1}`
    const all = { ...DEFAULT_TASK_OPTIONS, timeout: 0, ...options }
    const record = new TaskRecord(id, name, null, all, this.clock.nowMs())
    this.records.push(record)
    this.ledger.admit(record)
    this.send({ type: 'task.submitted', record })
    return record
  }

  /** Starts the slot's next process, for the session the ledger wants. */
  start(slot: SlotId): ScenarioProcess {
    const incarnation = (this.#incarnations.get(slot) ?? 0) + 1
    this.#incarnations.set(slot, incarnation)
    const session = this.ledger.dispatch.sessions.choose({ slot, incarnation })
    const process: ScenarioProcess = {
      slot,
      incarnation,
      session,
      state: 'starting',
      askedAtMs: null,
      tasks: [],
    }
    this.processes.push(process)
    return process
  }

  /** It takes tasks from now on; what the slot had before takes none any more. */
  ready(process: ScenarioProcess): void {
    for (const old of this.processes) {
      if (old.slot !== process.slot || old.state !== 'open') continue
      old.state = 'closed'
      this.send({ type: 'worker.closed', slot: old.slot, incarnation: old.incarnation })
    }
    process.state = 'open'
    const { slot, incarnation } = process
    this.send({ type: 'worker.opened', slot, incarnation })
  }

  open(slot: SlotId): ScenarioProcess {
    const process = this.start(slot)
    this.ready(process)
    this.clock.settle()
    return process
  }

  exit(process: ScenarioProcess, cause: ExitCause = 'recycled'): void {
    this.processes.splice(this.processes.indexOf(process), 1)
    const { slot, incarnation } = process
    // A successor that came to nothing: whoever was asked may be asked again.
    for (const other of this.processes) if (other.slot === slot) other.askedAtMs = null
    const exit = { code: null, signal: 'SIGKILL' }
    this.send({ type: 'worker.exited', slot, incarnation, cause, exit, error: null })
    process.tasks.length = 0
  }

  /** Attempts of one process end, told in one frame. */
  end(
    process: ScenarioProcess,
    records: readonly TaskRecord[],
    verdict: 'ok' | 'retryable' | 'released' = 'ok',
  ): void {
    const { slot, incarnation } = process
    const error = verdict === 'ok' ? {} : { error: { code: 'TASK_FAILED', message: 'it failed' } }
    const reports = records.map(({ id, attempt }) => {
      return { kind: 'ended', taskId: id, attempt, verdict, ...error } as const
    })
    for (const record of records) process.tasks.splice(process.tasks.indexOf(record), 1)
    this.send({ type: 'attempts.reported', slot, incarnation, reports })
  }

  processOf(record: TaskRecord): ScenarioProcess {
    const process = this.processes.find((one) => one.tasks.includes(record))
    if (process === undefined) throw new Error(`nobody has ${record.id}`)
    return process
  }

  #step(
    record: TaskRecord,
    event: TaskEvent,
    run: Parameters<typeof step<TaskRecord>>[2],
  ): ReturnType<typeof step> {
    const from = record.state
    this.watcher.before?.(record, event)
    const result = step(record, event, run)
    if (event.type === 'attempt.assigned') {
      const { slot, incarnation } = record.worker as NonNullable<TaskRecord['worker']>
      const isIt = (one: ScenarioProcess) => one.slot === slot && one.incarnation === incarnation
      this.processes.find(isIt)?.tasks.push(record)
    }
    this.watcher.after?.(record, from, event)
    return result
  }

  #ask(slot: SlotId, incarnation: number): void {
    this.asks++
    const isIt = (one: ScenarioProcess) => one.slot === slot && one.incarnation === incarnation
    const process = this.processes.find(isIt)
    if (process === undefined) throw new Error(`asked ${slot}#${incarnation}, which is gone`)
    const nowMs = this.clock.nowMs()
    if (process.askedAtMs !== null && nowMs - process.askedAtMs < ASKED_AGAIN_MS) {
      throw new Error(`asked ${slot}#${incarnation} twice`)
    }
    process.askedAtMs = nowMs
  }
}
