/**
 * The composed system: the shipped machines, the ledger, and the processes around them, in one row
 * of small numbers. A step is one thing that happens outside; everything said in answer is said at
 * once and depth first, as in production.
 */
import type { AnyMachineSnapshot, EventObject } from 'xstate'
import type { PoolContext, PoolEvent } from '../../machines/pool.setup.ts'
import type { SupervisorContext } from '../../machines/supervisor.setup.ts'
import type { SerializedError, PortFailed } from '../../machines/protocol.ts'
import type { WorkerContext } from '../../machines/worker.setup.ts'
import type { ProcessId } from '../../machines/worker-messages.ts'
import { hostLogic, type HostState, runLogic, type RunActorState } from './host-actor.ts'
import { ledgerLogic } from './ledger-actor.ts'
import { type LedgerState, workerName } from './ledger-state.ts'
import { MachineActor } from './machine-actor.ts'
import { type ActorKind, memoized, type Output, type Result, Messages } from './memo.ts'
import { PlainActor } from './plain-actor.ts'
import { type CompositionPlan, SHUTDOWN_POLICY, supervisorPolicy, workerPolicy } from './plan.ts'
import { routesOf, slotName } from './routes.ts'
import { StartRules } from './start-rules.ts'

/** Where what stands in a row. Each slot has two more: its machine and its processes. */
export const AT = { pool: 0, supervisor: 1, shutdown: 2, ledger: 3, run: 4, faults: 5 } as const
const FIRST_SLOT = 6
export const workerAt = (slot: number) => FIRST_SLOT + 2 * slot
export const hostAt = (slot: number) => FIRST_SLOT + 2 * slot + 1

export type Row = number[]
/** More words than this in answer to one are a quarrel without end. */
const MAX_MESSAGES_A_STEP = 1_000

/** More incarnations of a slot than this are never in one way. */
const MAX_INCARNATIONS = 64

/** The port that throws in a step: the how many-th word of a machine or of the ledger. */
export interface Throw {
  readonly at: number
  readonly isDone: boolean
}
/** What they say are reports, not commands. */
const OUTSIDE: ReadonlySet<ActorKind> = new Set(['host', 'run'])
const DEFECT: SerializedError = { code: 'INVARIANT_VIOLATED', message: 'thrown' }

/** What is said while a step goes on, for whoever watches. */
type Listener = (output: Output, from: ActorKind, fromSlot: number) => void

/** One thing that happens outside. */
interface Taken {
  readonly to: ActorKind
  readonly slot: number
  readonly event: number
  readonly cost: number
  readonly throws?: Throw | undefined
}

export class System {
  readonly plan: CompositionPlan
  readonly messages = new Messages()
  readonly pool: MachineActor
  readonly supervisor: MachineActor
  readonly shutdown: MachineActor
  readonly worker: MachineActor
  readonly ledger: PlainActor<LedgerState>
  readonly host = new PlainActor<HostState>(hostLogic, this.messages)
  readonly run = new PlainActor<RunActorState>(runLogic, this.messages)
  readonly width: number
  /** False to keep slots and incarnations as they are, for a way that people will read. */
  isCanonical = true
  listener: Listener | null = null
  readonly #rules: StartRules
  readonly #busy: boolean[]
  readonly #mail: number[][]
  #row: Row = []
  #violation: string | null = null
  #said = 0
  #throws: Throw | null = null
  /** Words of the last step that could have thrown. */
  ports = 0

  constructor(plan: CompositionPlan) {
    this.plan = plan
    this.width = FIRST_SLOT + 2 * plan.workers
    const routes = routesOf(this.messages, plan.workers)
    const { machines } = plan
    const make = (kind: keyof typeof routes, input: unknown) =>
      new MachineActor(machines[kind], input, this.messages, routes[kind])
    this.pool = make('pool', {
      workers: plan.workers - plan.standby,
      standby: plan.standby,
      startTimeoutMs: 1,
    })
    this.supervisor = make('supervisor', { policy: supervisorPolicy(plan) })
    this.shutdown = make('shutdown', { policy: SHUTDOWN_POLICY })
    this.worker = make('worker', { slot: 'worker-1', policy: workerPolicy(plan) })
    this.ledger = new PlainActor(ledgerLogic(plan), this.messages)
    this.#rules = new StartRules(this)
    this.#busy = Array.from({ length: this.width }, () => false)
    this.#mail = Array.from({ length: this.width }, () => [])
  }

  initial(): Row {
    const { pool, supervisor, shutdown, ledger, run, plan } = this
    const row = [pool, supervisor, shutdown, ledger, run].map(({ initial }) => initial)
    row.push(plan.faults)
    for (let slot = 0; slot < plan.workers; slot++) {
      row.push(this.worker.initial, this.host.initial)
    }
    return row
  }

  /** Takes one step. Where `violation` is set afterwards, the row is of no use. */
  step(row: ArrayLike<number>, { to, slot, event, cost, throws }: Taken): Row {
    this.#row = Array.from(row)
    this.#violation = null
    this.#said = 0
    this.ports = 0
    this.#throws = throws ?? null
    this.#row[AT.faults] = (row[AT.faults] as number) - cost
    this.#deliver({ to, slot, event })
    return this.isCanonical ? this.canonical(this.#row) : this.#row
  }

  get violation(): string | null {
    return this.#violation
  }

  place(kind: ActorKind, slot: number): number {
    if (kind === 'worker') return workerAt(slot)
    return kind === 'host' ? hostAt(slot) : AT[kind]
  }

  /** Synchronous and depth first; who is in the middle of something hears it afterwards. */
  #deliver({ to, slot, event }: Output): void {
    const at = this.place(to, slot)
    // An action is done where it is said, even if the process has something else to say first.
    if (to === 'host') this.#violation ??= this.#rules.judge(this.#row, slot, event)
    const mail = this.#mail[at] as number[]
    mail.push(event)
    if (this.#busy[at]) return
    this.#busy[at] = true
    for (let next = mail.shift(); next !== undefined; next = mail.shift()) {
      this.#said++
      if (this.#said > MAX_MESSAGES_A_STEP)
        this.#violation ??= 'the actors answer each other without end'
      if (this.#said <= MAX_MESSAGES_A_STEP) this.#process(to, slot, at, next)
    }
    this.#busy[at] = false
  }

  #process(kind: ActorKind, slot: number, at: number, event: number): void {
    const row = this.#row
    if (kind === 'pool') this.#violation ??= this.#rules.judgeEnd(row, event)
    const result = this.#take(kind, row[at] as number, event, slot)
    result.uses++
    this.#violation ??= result.violation
    row[at] = result.next
    for (const output of result.out) {
      const isThrown = !OUTSIDE.has(kind) && this.ports++ === this.#throws?.at
      if (!isThrown || this.#throws?.isDone === true) this.#say(output, kind, slot)
      if (isThrown) this.#say(this.#failureOf(output, kind, slot), kind, slot)
    }
  }

  #say(output: Output, from: ActorKind, slot: number): void {
    if (this.listener) this.listener(output, from, slot)
    this.#deliver(output)
    this.#react(output)
  }

  /** Who hears of a command that throws, exactly as `src/pool/defects.ts` has it. */
  #failureOf(output: Output, from: ActorKind, slot: number): Output {
    if (output.to === 'host') {
      const { type, incarnation } = this.messages.event(output.event) as EventObject & ProcessId
      const failed: PortFailed = { type: 'port.failed', port: type, incarnation, error: DEFECT }
      return { to: 'worker', slot, event: this.messages.id(failed) }
    }
    const event: PoolEvent =
      from === 'pool'
        ? { type: 'port.failed', port: 'some', incarnation: null, error: DEFECT }
        : { type: 'actor.failed', actor: from, error: DEFECT }
    return { to: 'pool', slot: 0, event: this.messages.id(event) }
  }

  /** The news of an exit is told as soon as the ledger knows of it, while others have yet to hear. */
  #react({ to, event }: Output): void {
    const { reaction } = this.plan
    if (reaction === null || to !== 'ledger') return
    if (this.messages.event(event).type !== 'worker.exited') return
    const pool = this.poolValue(this.#row)
    if (pool !== 'running' && pool !== 'paused' && pool !== 'starting') return
    const output = { to: 'pool', slot: 0, event: this.messages.id(reaction) } as const
    if (this.listener) this.listener(output, 'ledger', 0)
    this.#deliver(output)
  }

  #take(kind: ActorKind, state: number, event: number, slot: number): Result {
    switch (kind) {
      case 'worker':
        return this.worker.take(state, event, slot)
      case 'host':
        return this.host.take(state, event, slot)
      default:
        return this[kind].take(state, event, 0)
    }
  }

  /** The row that stands for this one. It may be changed in place. */
  canonical(row: Row): Row {
    for (let slot = 0; slot < this.plan.workers; slot++) this.#rebase(row, slot)
    if (!this.plan.isSymmetric || this.plan.workers !== 2) return row
    const [w1, h1, w2, h2] = row.slice(FIRST_SLOT) as [number, number, number, number]
    if (w1 < w2 || (w1 === w2 && h1 <= h2)) {
      if (w1 !== w2 || h1 !== h2) return row
    }
    const swapped = [
      this.#swapPool(row[AT.pool] as number, 0),
      this.#swapSupervisor(row[AT.supervisor] as number, 0),
      row[AT.shutdown] as number,
      this.#swapLedger(row[AT.ledger] as number, 0),
      row[AT.run] as number,
      row[AT.faults] as number,
      w2,
      h2,
      w1,
      h1,
    ]
    if (w1 !== w2 || h1 !== h2) return swapped
    for (const at of [AT.pool, AT.supervisor, AT.ledger]) {
      const difference = (row[at] as number) - (swapped[at] as number)
      if (difference !== 0) return difference < 0 ? row : swapped
    }
    return row
  }

  /**
   * Incarnations count from the oldest that lives, without gaps: how many there were before changes
   * nothing.
   */
  #rebase(row: Row, slot: number): void {
    const { processes } = this.host.at(row[hostAt(slot)] as number)
    const worker = row[workerAt(slot)] as number
    const { incarnation } = this.worker.at(worker).context as WorkerContext
    const first = processes[0]?.incarnation ?? 0
    const second = processes[1]?.incarnation ?? 0
    const code = (first * MAX_INCARNATIONS + second) * MAX_INCARNATIONS + incarnation
    if (ranked(code, first) === first && ranked(code, second) === second) {
      if (ranked(code, incarnation) === incarnation) return
    }
    row[workerAt(slot)] = this.#rankWorker(worker, code)
    row[hostAt(slot)] = this.#rankHost(row[hostAt(slot)] as number, code)
    row[AT.ledger] = this.#rankLedger(row[AT.ledger] as number, code * this.plan.workers + slot)
  }

  readonly #rankWorker = memoized((state, code) => {
    const { incarnation, current, outgoing } = this.worker.at(state).context as WorkerContext
    const rank = <T extends { incarnation: number }>(crew: T | null) =>
      crew && { ...crew, incarnation: ranked(code, crew.incarnation) }
    return this.worker.changed(state, {
      incarnation: ranked(code, incarnation),
      current: rank(current),
      outgoing: rank(outgoing),
    })
  })
  readonly #rankHost = memoized((state, code) =>
    this.host.changed(state, ({ processes }) => {
      for (const process of processes) process.incarnation = ranked(code, process.incarnation)
    }),
  )
  readonly #rankLedger = memoized((state, codeAndSlot) => {
    const code = Math.floor(codeAndSlot / this.plan.workers)
    const name = slotName(codeAndSlot % this.plan.workers)
    return this.#renamed(state, (slot, incarnation) => ({
      slot,
      incarnation: slot === name ? ranked(code, incarnation) : incarnation,
    }))
  })
  readonly #swapLedger = memoized((state) =>
    this.#renamed(state, (slot, incarnation) => ({ slot: other(slot), incarnation })),
  )
  readonly #swapPool = memoized((state) => {
    const context = this.pool.at(state).context as PoolContext
    const names = ['alive', 'ready', 'warm', 'failed'] as const
    const swapped = names.map((name) => [name, context[name].map(other)])
    // A cast names its slots in their order, whoever they are: it is told when all of them are down.
    const casts = (['serving', 'spares'] as const).map((name) => [
      name,
      context[name].map(other).toSorted(),
    ])
    return this.pool.changed(state, Object.fromEntries([...swapped, ...casts]))
  })
  readonly #swapSupervisor = memoized((state) => {
    const { waiting, starting, launched } = this.supervisor.at(state).context as SupervisorContext
    return this.supervisor.changed(state, {
      waiting: waiting.map(other),
      starting: starting.map(other),
      launched: launched.map(other),
    })
  })

  #renamed(
    state: number,
    rename: (slot: string, incarnation: number) => { slot: string; incarnation: number },
  ): number {
    return this.ledger.changed(state, (ledger) => {
      const names = new Map<string, string>()
      for (const worker of ledger.workers) {
        const before = workerName(worker)
        Object.assign(worker, rename(worker.slot, worker.incarnation))
        names.set(before, workerName(worker))
      }
      ledger.open = ledger.open.map((name) => names.get(name) ?? name)
    })
  }

  isAnyWorker(row: ArrayLike<number>, judge: (value: { life: unknown }) => boolean): boolean {
    for (let slot = 0; slot < this.plan.workers; slot++) {
      const { value } = this.worker.at(row[workerAt(slot)] as number) as AnyMachineSnapshot
      if (judge(value as { life: unknown })) return true
    }
    return false
  }

  poolValue(row: ArrayLike<number>): string {
    const { value } = this.pool.at(row[AT.pool] as number) as AnyMachineSnapshot
    return typeof value === 'string' ? value : (Object.keys(value)[0] as string)
  }
}

const other = <T extends string>(slot: T) => (slot === 'worker-1' ? 'worker-2' : 'worker-1') as T

/**
 * An incarnation's rank among those that live; the newest of all keeps one of its own after it has
 * gone.
 */
function ranked(code: number, incarnation: number): number {
  const second = Math.floor(code / MAX_INCARNATIONS) % MAX_INCARNATIONS
  const first = Math.floor(code / MAX_INCARNATIONS ** 2)
  if (incarnation === 0 || first === 0) return 0
  if (incarnation === first) return 1
  if (incarnation === second) return 2
  return second === 0 ? 2 : 3
}
