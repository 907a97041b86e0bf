/**
 * Pools without processes, one after another on the same store: the real ledger and the real store,
 * on a clock that a test moves. A pool may die at any word it says; the next one finds what it left.
 * It notes what was told and judges it by plain rules.
 */
import { type Actor, createActor } from 'xstate'
import type { Assignment, ExitCause, SlotId, Verdict } from '../../machines/protocol.ts'
import type { WorkerEvent } from '../../machines/worker.setup.ts'
import { TroupeError } from '../../src/common/errors.ts'
import { MemoryDeadLetters } from '../../src/ledger/results/dead-letters.ts'
import type { LedgerEvent } from '../../src/ledger/events.ts'
import { type LedgerLogic, ledgerLogic } from '../../src/ledger/ledger-logic.ts'
import type { Ledger } from '../../src/ledger/ledger.ts'
import type { LedgerPorts } from '../../src/ledger/ports.ts'
import { TaskRecord } from '../../src/ledger/task/record.ts'
import { MemoryResultCache } from '../../src/ledger/results/result-cache.ts'
import type { TaskStore } from '../../src/ledger/store/store.ts'
import { relate } from '../../src/pool/admission/batch.ts'
import { DEFAULT_TASK_OPTIONS } from '../../src/config/task-options.ts'
import { type NormalTaskOptions } from '../../src/config/task-option-checks.ts'
import { EPOCH_MS, type Ground, type StoreSettings } from './store-bench.ts'
import { VirtualClock } from './virtual-clock.ts'

const SLOTS: readonly SlotId[] = ['worker-1', 'worker-2']
const CAPACITY = 2
const BLAMELESS: readonly ExitCause[] = ['stopped', 'recycled', 'cancelled', 'memoryShortage']
const DOWN_MS = 10
const ROUND_MS = 60_000
const MAX_ROUNDS = 400

/** What a client knows of a task it has handed in. */
interface Known {
  readonly options: NormalTaskOptions
  /** It was told that the task is durable. */
  isAcknowledged: boolean
  end: string | null
  starts: number
  /** Starts that count against its attempts, as far as the client can know. */
  spent: number
  lastAttempt: number
  /** It may have run, and nobody knows how far: it must not be started again. */
  isOver: boolean
}
interface Running {
  readonly slot: SlotId
  readonly incarnation: number
  readonly taskId: string
  readonly attempt: number
}

export class StoreLife {
  readonly wrong: string[] = []
  readonly known = new Map<string, Known>()
  readonly seen = new Set<string>()
  clock = new VirtualClock()
  /** The disk takes nothing. */
  isFull = false
  crashes = 0
  running: Running[] = []
  readonly #ground: Ground
  readonly #settings: StoreSettings
  #store: TaskStore
  #actor: Actor<LedgerLogic>
  #records: TaskRecord[] = []
  /** Words until it dies; Infinity for none in sight. */
  #messagesLeft = Number.POSITIVE_INFINITY
  #incarnation = 0
  #wallMs = EPOCH_MS

  constructor(ground: Ground, settings: StoreSettings = {}) {
    this.#ground = ground
    this.#settings = settings
    this.#follow()
    this.#store = ground.open(settings)
    this.#actor = this.#begin()
  }

  get ledger(): Ledger {
    return this.#actor.getSnapshot().context.ledger
  }

  get store(): TaskStore {
    return this.#store
  }

  submit(id: string, options: Partial<NormalTaskOptions> = {}): void {
    const all = { ...DEFAULT_TASK_OPTIONS, ...options }
    const record = new TaskRecord(id, 'noop', { id }, all, this.clock.nowMs())
    const { ledger } = this
    try {
      relate(record, (parent) => ledger.parent(parent))
      ledger.admit(record)
    } catch (error) {
      this.seen.add(`refused ${(error as TroupeError).code}`)
      return
    }
    const known = { options: all, isAcknowledged: false, end: null, isOver: false }
    this.known.set(id, { ...known, starts: 0, spent: 0, lastAttempt: 0 })
    this.#records.push(record)
    this.#send({ type: 'task.submitted', record })
    const { crashes } = this
    ledger.gate?.whenStored(record, (isStored) => {
      const now = this.known.get(id) as Known
      if (isStored && crashes === this.crashes) now.isAcknowledged = true
    })
  }

  report(at: number, verdict: Verdict): void {
    const attempt = this.running[at % Math.max(this.running.length, 1)]
    if (attempt === undefined) return
    this.running = this.running.filter((other) => other !== attempt)
    const known = this.known.get(attempt.taskId) as Known
    if (verdict === 'released') known.spent--
    const { slot, incarnation, ...of } = attempt
    const error = verdict === 'ok' ? {} : { error: { code: 'TASK_FAILED', message: verdict } }
    const reports = [{ kind: 'ended', ...of, verdict, value: of, ...error }] as const
    this.#send({ type: 'attempts.reported', slot, incarnation, reports })
  }

  /** A process ends; another takes its place. */
  exit(at: number, cause: ExitCause): void {
    const slot = SLOTS[at % SLOTS.length] as SlotId
    const lost = this.running.filter((attempt) => attempt.slot === slot)
    this.running = this.running.filter((attempt) => attempt.slot !== slot)
    for (const { taskId } of lost) {
      const known = this.known.get(taskId) as Known
      if (!known.options.idempotent) known.isOver = true
      else if (BLAMELESS.includes(cause) || (cause === 'memory' && lost.length > 1)) known.spent--
    }
    const exit = { code: null, signal: 'SIGKILL' }
    const incarnation = this.#incarnationOf.get(slot) as number
    const { crashes } = this
    this.#send({ type: 'worker.exited', slot, incarnation, cause, exit, error: null })
    if (crashes === this.crashes) this.#openSlot(slot)
  }

  fill(isFull: boolean): void {
    this.isFull = isFull
  }

  cancel(at: number): void {
    const record = this.#records[at % Math.max(this.#records.length, 1)]
    if (record) this.#send({ type: 'task.cancel', record, reason: 'requested' })
  }

  pass(ms: number): void {
    this.clock.advance(ms)
    this.#dieIfDue()
  }

  /** Dies at the n-th word from now. */
  dieAt(messages: number): void {
    this.#messagesLeft = messages
  }

  /** `downMs`: until the next pool starts. */
  crash(downMs = DOWN_MS): void {
    this.crashes++
    for (const { taskId } of this.running) {
      const known = this.known.get(taskId) as Known
      if (!known.options.idempotent) known.isOver = true
    }
    for (const known of this.known.values()) {
      // Nobody was told that it is durable, so nobody may rely on it: it may come back or not.
      if (!known.isAcknowledged) this.seen.add('crashed before the acknowledgement')
    }
    this.seen.add(this.running.length > 0 ? 'crashed while tasks ran' : 'crashed')
    this.#next((settings) => this.#ground.crash(this.#store, settings), downMs)
  }

  shutdown(how: 'graceful' | 'failed' | 'halt'): void {
    this.#messagesLeft = Number.POSITIVE_INFINITY
    this.isFull = false
    this.pass(ROUND_MS)
    if (how === 'halt') this.#actor.stop()
    else {
      const error = { code: 'WORKER_START_FAILED', message: 'no worker starts' }
      if (how === 'failed') this.#send({ type: 'pool.failed', error })
      else this.#send({ type: 'intake.close' })
      this.#send({ type: 'tasks.cancelAll' })
      for (const at of SLOTS.keys()) this.exit(at, 'stopped')
      this.#send({ type: 'store.closed' })
    }
    for (const { taskId } of this.running) {
      const known = this.known.get(taskId) as Known
      if (known.options.idempotent) known.spent--
      else known.isOver = true
    }
    this.seen.add(`shutdown ${how}`)
    this.#next((settings) => this.#ground.open(settings))
  }

  /** Nothing goes wrong any more: every acknowledged task must come to its one end. */
  finish(): void {
    this.isFull = false
    this.#messagesLeft = Number.POSITIVE_INFINITY
    for (let round = 0; this.store.facts.unended > 0; round++) {
      if (round > MAX_ROUNDS) return void this.wrong.push('the work does not come to an end')
      this.pass(ROUND_MS)
      while (this.running.length > 0) this.report(0, 'ok')
    }
    this.pass(ROUND_MS)
    this.crash()
    this.#judge()
  }

  #judge(): void {
    const { unended, ended } = this.store.facts
    if (unended > 0) this.wrong.push(`${unended} tasks are left`)
    let kept = 0
    for (const [id, { isAcknowledged, end }] of this.known) {
      const found = this.store.find(id)
      if (found !== null) kept++
      if (isAcknowledged && found === null) this.wrong.push(`${id} was acknowledged, and is lost`)
      if (end !== null && found !== null && found.state !== end) {
        this.wrong.push(`${id} was told as ${end}, and is ${found.state}`)
      }
    }
    // Its ids are its own, so more ends than ids are ends too many.
    if (kept !== ended) this.wrong.push(`${ended} ends of ${kept} tasks`)
  }

  #next(open: (settings: StoreSettings) => TaskStore, downMs = DOWN_MS): void {
    this.#wallMs += this.clock.nowMs() + downMs
    this.clock = new VirtualClock()
    this.#follow()
    this.running = []
    this.#records = []
    this.#messagesLeft = Number.POSITIVE_INFINITY
    this.isFull = false
    this.#store = open(this.#settings)
    this.#actor = this.#begin()
  }

  /** The store's clock is that of the pool that lives now. */
  #follow(): void {
    const [clock, wallMs] = [this.clock, this.#wallMs]
    this.#ground.clock.nowMs = () => clock.nowMs()
    this.#ground.clock.wallMs = () => wallMs + clock.nowMs()
  }

  #begin(): Actor<LedgerLogic> {
    const policy = { tasksPerWorker: CAPACITY, cancelGraceMs: 5, cacheTtlMs: 0, isDurable: true }
    const actor = createActor(ledgerLogic(policy, this.#ports()), { id: 'ledger' }).start()
    this.#actor = actor
    this.#send({ type: 'store.opened', store: this.#guarded(this.#store) })
    this.#send({ type: 'intake.open' })
    for (const slot of SLOTS) this.#openSlot(slot)
    return actor
  }

  readonly #incarnationOf = new Map<SlotId, number>()
  #openSlot(slot: SlotId): void {
    const incarnation = ++this.#incarnation
    this.#incarnationOf.set(slot, incarnation)
    this.#send({ type: 'worker.opened', slot, incarnation })
  }

  #send(event: LedgerEvent): void {
    this.#actor.send(event)
    this.#dieIfDue()
  }

  #dieIfDue(): void {
    if (this.#messagesLeft <= 0) this.crash()
  }

  /** A word of the ledger: said, or swallowed by its death. */
  #say(message: () => void): void {
    if (this.#messagesLeft-- > 0) message()
  }

  #ports(): LedgerPorts {
    const { clock } = this
    const wallMs = this.#wallMs
    return {
      clock: {
        nowMs: () => clock.nowMs(),
        after: (ms, callback) => clock.after(ms, callback),
        defer: (callback) => clock.defer(callback),
      },
      random: () => 0.5,
      wallMs: () => wallMs + clock.nowMs(),
      deadLetters: new MemoryDeadLetters(),
      resultCache: new MemoryResultCache(),
      sendWorker: (slot, event) => this.#say(() => this.#hear(slot, event)),
      sendPool: () => {},
      sendShutdown: () => {},
      abort: (_slot, _incarnation, { taskId }) => this.#say(() => this.#abort(taskId)),
      killAfterMs: () => 10,
      report: (events, record) => this.#say(() => events === 'ended' && this.#noteEnd(record)),
      occupied: () => {},
      unexpected: (state, type) => this.wrong.push(`unexpected ${type} in ${state}`),
      halted: () => {},
      storeTroubled: (error) => this.seen.add(`trouble ${error?.code ?? 'over'}`),
    }
  }

  #hear(slot: SlotId, event: WorkerEvent): void {
    if (event.type === 'worker.kill') {
      // By itself, in a turn of its own, as a process dies.
      this.clock.defer(() => this.exit(SLOTS.indexOf(slot), 'cancelled'))
    }
    // Words may have waited for the disk: a process that is gone hears nothing.
    if (event.type !== 'tasks.assigned') return
    if (event.incarnation !== this.#incarnationOf.get(slot)) return
    for (const task of event.tasks) this.#noteStart(slot, event.incarnation, task)
  }

  #noteStart(slot: SlotId, incarnation: number, { taskId, attempt }: Assignment): void {
    const known = this.known.get(taskId) as Known
    if (known.end !== null) this.wrong.push(`${taskId} started after its end`)
    if (known.isOver) this.wrong.push(`${taskId} may not be repeated, and was`)
    if (attempt <= known.lastAttempt) this.wrong.push(`${taskId} started twice as #${attempt}`)
    known.lastAttempt = attempt
    known.spent++
    if (known.spent > known.options.attempts) {
      this.wrong.push(`${taskId} had ${known.spent} starts of ${known.options.attempts}`)
    }
    this.running.push({ slot, incarnation, taskId, attempt })
  }

  #abort(taskId: string): void {
    this.seen.add(`abort ${taskId.slice(0, 0)}`)
  }

  #noteEnd({ id, state, error }: TaskRecord): void {
    const known = this.known.get(id) as Known
    if (error?.message.includes('the store keeps the task') === true) {
      this.seen.add('kept')
      return
    }
    if (known.end !== null) this.wrong.push(`${id} ended twice: ${known.end}, ${state}`)
    known.end = state
    this.seen.add(`ended ${state}`)
  }

  #guarded(store: TaskStore): TaskStore {
    const check = () => {
      if (this.isFull) throw new TroupeError('STORE_FULL', 'the disk is full')
    }
    return new Proxy(store, {
      get: (target, key) => {
        const value: unknown = Reflect.get(target, key, target)
        if (typeof value !== 'function') return value
        return (...args: unknown[]) => {
          const isWrite = key === 'accept' || key === 'commit'
          // The dead write nothing more, though their event has not come to its end here.
          if (isWrite && this.#messagesLeft <= 0) return undefined
          if (isWrite) check()
          return value.apply(target, args) as unknown
        }
      },
      set: (target, key, value) => Reflect.set(target, key, value, target),
    })
  }
}
