/**
 * What may happen next: by the user, by a process, by a clock, or by bad luck. A deadline that
 * fires while what it waits for could still come is bad luck too, and costs like it.
 */
import type { EventObject } from 'xstate'
import type { SupervisorContext } from '../../machines/supervisor.setup.ts'
import type { WorkerContext } from '../../machines/worker.setup.ts'
import type { ModelProcess } from './host-actor.ts'
import { ENDED, type LedgerState, type ModelCapacity } from './ledger-state.ts'
import type { ActorKind } from './memo.ts'
import type { FaultMessage, UserMessage } from './plan.ts'
import { readingMoves } from './readings.ts'
import { slotName, slotNumber } from './routes.ts'
import { AT, hostAt, type System, type Throw, workerAt } from './system.ts'
import { userMoves } from './user-moves.ts'

/**
 * `progress` comes by itself and soon; `pace` is a wait that always ends; `deadline` ends a wait
 * for nothing.
 */
type MoveKind = 'user' | 'progress' | 'pace' | 'deadline' | 'fault'

export interface Move {
  readonly to: ActorKind
  readonly slot: number
  readonly event: number
  readonly kind: MoveKind
  readonly cost: 0 | 1 | 2
  /** What is said in answer is not all done: one of it throws. */
  readonly throws?: Throw
}

const PACE = ['restartBackoff', 'resetBackoffAfter', 'breakerCooldown', 'scaleCooldown']
/** A slot's processes have far fewer states than this, and so has the keeper. */
const MAX_HOSTS = 1_024
const MAX_KEEPERS = 64
/**
 * It may be any age; to grow too old costs like other bad luck, or it would for ever be replaced.
 */
const OLD_AGE = ['maxAge']
const isNamed = (type: string, names: readonly string[]) =>
  names.some((name) => type.startsWith(`xstate.after.${name}.`))

export class Moves {
  readonly system: System
  readonly #faults: ReadonlySet<FaultMessage>
  readonly #users: ReadonlySet<UserMessage>
  readonly #ofProcesses = new Map<number, readonly Move[]>()
  readonly #ofTasks = new Map<number, readonly Move[]>()
  readonly #ids = new Map<string, number>()
  #moves: Move[] = []
  #row: ArrayLike<number> = []

  constructor(system: System) {
    this.system = system
    this.#faults = new Set(system.plan.faultKinds)
    this.#users = new Set(system.plan.users)
  }

  /** Everything that may happen in this row. */
  of(row: ArrayLike<number>): readonly Move[] {
    this.#moves = []
    this.#row = row
    const { system } = this
    const { plan } = system
    const isLucky = (row[AT.faults] as number) === 0 ? 1 : 0
    const run = row[AT.run] as number
    let hosts = 0
    for (let slot = 0; slot < plan.workers; slot++) {
      const host = row[hostAt(slot)] as number
      hosts = hosts * MAX_HOSTS + host
      const key = ((host * MAX_KEEPERS + run) * 2 + isLucky) * plan.workers + slot
      this.#remembered(this.#ofProcesses, key, () => this.#processes(slot))
    }
    const key = ((row[AT.ledger] as number) * MAX_HOSTS ** plan.workers + hosts) * 2 + isLucky
    this.#remembered(this.#ofTasks, key, () => this.#tasks())
    this.#run()
    const isBusy = this.#moves.some(({ kind }) => kind === 'progress')
    this.#poolTimers(isBusy)
    for (let slot = 0; slot < plan.workers; slot++) this.#workerTimers(slot)
    for (const { to, event } of userMoves(system, row, this.#users)) this.#add(to, 0, event, 'user')
    for (const { event, kind } of readingMoves(this.system, row)) {
      this.#add('supervisor', 0, event, kind)
    }
    return this.#moves
  }

  /** The same move, but with a port that throws at each of its words, before it is done or after. */
  thrown(move: Move, row: ArrayLike<number>, ports: number): readonly Move[] {
    if (!this.#faults.has('portThrows')) return []
    if ((row[AT.faults] as number) <= move.cost) return []
    const base = { ...move, kind: 'fault', cost: (move.cost + 1) as Move['cost'] } as const
    return Array.from({ length: ports * 2 }, (_, number) => ({
      ...base,
      throws: { at: number >> 1, isDone: number % 2 === 1 },
    }))
  }

  /** What depends on little is worked out once. */
  #remembered(known: Map<number, readonly Move[]>, key: number, make: () => void): void {
    let moves = known.get(key)
    if (moves === undefined) {
      const all = this.#moves
      this.#moves = []
      make()
      moves = this.#moves
      this.#moves = all
      known.set(key, moves)
    }
    for (const move of moves) this.#moves.push(move)
  }

  #message(event: EventObject): number {
    const { type } = event
    const isPlain = Object.keys(event).length === 1
    let id = isPlain ? this.#ids.get(type) : undefined
    if (id === undefined) {
      id = this.system.messages.id(event)
      if (isPlain) this.#ids.set(type, id)
    }
    return id
  }

  #add(to: ActorKind, slot: number, event: EventObject, kind: MoveKind): void {
    const id = this.#message(event)
    this.#moves.push({ to, slot, event: id, kind, cost: 0 })
  }

  #fault(message: FaultMessage, to: ActorKind, slot: number, event: EventObject): void {
    if ((this.#row[AT.faults] as number) === 0 || !this.#faults.has(message)) return
    const id = this.#message(event)
    this.#moves.push({ to, slot, event: id, kind: 'fault', cost: 1 })
  }

  /** A deadline: free when it waits for nothing, else bad luck. */
  #deadline(to: ActorKind, slot: number, event: EventObject, isVain: boolean): void {
    if (isVain) this.#add(to, slot, event, 'deadline')
    else this.#fault('earlyTimer', to, slot, event)
  }

  #hosted(slot: number): readonly ModelProcess[] {
    return this.system.host.at(this.#row[hostAt(slot)] as number).processes
  }

  get #ledger(): LedgerState {
    return this.system.ledger.at(this.#row[AT.ledger] as number)
  }

  #processes(slot: number): void {
    const processes = this.#hosted(slot)
    for (const process of processes) this.#process(slot, process)
    const { isWatching } = this.system.run.at(this.#row[AT.run] as number)
    if (!isWatching) return
    for (const process of processes) {
      const silence = silenceOf(slot, process)
      if (process.isHung && !process.isKilled) this.#add('supervisor', 0, silence, 'progress')
      else this.#fault('falseSilence', 'supervisor', 0, silence)
    }
  }

  #process(slot: number, process: ModelProcess): void {
    const { incarnation, phase, isHung, isLeaving, isKilled } = process
    const does = (type: string, facts: object = {}) => ({ type, incarnation, ...facts })
    if (isKilled || (isLeaving && !isHung)) this.#add('host', slot, does('does.exit'), 'progress')
    else this.#fault('crash', 'host', slot, does('does.exit'))
    if (isHung) return
    if (!isKilled) this.#fault('hang', 'host', slot, does('does.hang'))
    if (phase === 'loading') {
      this.#add('host', slot, does('does.load'), 'progress')
      this.#fault('lostMessage', 'host', slot, does('does.load', { lost: true }))
      this.#fault('failedStart', 'host', slot, does('does.fail', { permanent: true }))
    }
    if (phase === 'opening') {
      this.#add('host', slot, does('does.launch'), 'progress')
      this.#fault('lostMessage', 'host', slot, does('does.launch', { lost: true }))
    }
    // Without a login, a session is ready when its browser runs.
    const isOpening = phase === 'opening' || phase === 'launched' || phase === 'unheard'
    if (isOpening) {
      this.#add('host', slot, does('does.open'), 'progress')
      this.#fault('lostMessage', 'host', slot, does('does.open', { lost: true }))
      this.#fault('failedStart', 'host', slot, does('does.fail', { permanent: true }))
    }
    if (isOpening || phase === 'ready') {
      this.#fault('failedStart', 'host', slot, does('does.fail', { permanent: false }))
    }
    if (phase === 'ready') this.#fault('retire', 'host', slot, does('does.retire'))
  }

  #tasks(): void {
    const ledger = this.#ledger
    if (ledger.isDispatchDue) this.#add('ledger', 0, { type: 'dispatch.due' }, 'progress')
    for (const worker of ledger.workers)
      for (const task of worker.tasks) this.#attempt(ledger, worker, task)
    ledger.tasks.forEach(({ state, timer, hasDeadline, isSubmitted }, task) => {
      if (ENDED.has(state) || !isSubmitted) return
      const isOfAttempt = timer === 'timeout.passed' || timer === 'grace.passed'
      const passed = { type: 'timer.passed', task } as EventObject
      if (timer !== null && !isOfAttempt) this.#add('ledger', 0, passed, 'pace')
      if (timer !== null && isOfAttempt) {
        this.#deadline('ledger', 0, passed, this.#isAttemptVain(ledger, task))
      }
      if (hasDeadline)
        this.#fault('earlyTimer', 'ledger', 0, { type: 'deadline.passed', task } as EventObject)
    })
  }

  #attempt(ledger: LedgerState, worker: ModelCapacity, at: number): void {
    const task = ledger.tasks[at] as LedgerState['tasks'][number]
    const process = this.#processOf(worker)
    if (task.isStuck || process === undefined || process.isHung) return
    const report = (verdict: string) =>
      ({
        type: 'attempt.reported',
        slot: worker.slot,
        incarnation: worker.incarnation,
        task: at,
        attempt: task.attempt,
        verdict,
      }) as EventObject
    if (this.system.plan.saysStarted && task.state === 'assigned') {
      this.#add('ledger', 0, report('started'), 'progress')
    }
    this.#add('ledger', 0, report('ok'), 'progress')
    const also = worker.tasks.filter(
      (other) => other > at && ledger.tasks[other]?.isStuck === false,
    )
    if (also.length > 0) {
      this.#add('ledger', 0, { ...report('ok'), also } as EventObject, 'progress')
    }
    if (task.state === 'cancelling') this.#add('ledger', 0, report('cancelled'), 'progress')
    for (const verdict of ['retryable', 'permanent', 'released']) {
      this.#fault('failedAttempt', 'ledger', 0, report(verdict))
    }
    this.#fault('stuckTask', 'ledger', 0, { type: 'task.sticks', task: at } as EventObject)
  }

  #processOf({ slot, incarnation }: ModelCapacity): ModelProcess | undefined {
    return this.#hosted(slotNumber(slot)).find((process) => process.incarnation === incarnation)
  }

  #isAttemptVain(ledger: LedgerState, task: number): boolean {
    if (ledger.tasks[task]?.isStuck === true) return true
    const worker = ledger.workers.find(({ tasks }) => tasks.includes(task))
    const process = worker && this.#processOf(worker)
    return process === undefined || process.isHung
  }

  #run(): void {
    const [work] = this.system.run.at(this.#row[AT.run] as number).work
    if (work === undefined) return
    if (work === 'open' || work === 'givenUp') {
      this.#add('run', 0, { type: 'does.open' }, 'progress')
      if (work === 'open') this.#fault('failedRun', 'run', 0, { type: 'does.fail' })
      return
    }
    const { workers } = this.system.plan
    const isEmpty = Array.from({ length: workers }, (_, slot) => this.#hosted(slot)).every(
      ({ length }) => length === 0,
    )
    if (isEmpty) this.#add('run', 0, { type: 'does.close' }, 'progress')
  }

  #poolTimers(isBusy: boolean): void {
    const { system } = this
    for (const kind of ['pool', 'shutdown', 'supervisor'] as const) {
      for (const type of system[kind].timers(this.#row[AT[kind]] as number)) {
        if (isNamed(type, ['readingTimeout'])) {
          if (system.plan.readings.includes('missing')) this.#add(kind, 0, { type }, 'user')
        } else if (isNamed(type, PACE)) this.#add(kind, 0, { type }, 'pace')
        else if (isNamed(type, ['probeTimeout'])) {
          this.#deadline(kind, 0, { type }, !isBusy || this.#isNobodyStarting())
        } else this.#deadline(kind, 0, { type }, !isBusy)
      }
    }
  }

  #isNobodyStarting(): boolean {
    const { supervisor } = this.system
    const { starting, launched } = supervisor.at(this.#row[AT.supervisor] as number)
      .context as SupervisorContext
    return starting.length + launched.length === 0
  }

  #workerTimers(slot: number): void {
    const { worker } = this.system
    const id = this.#row[workerAt(slot)] as number
    const { incarnation, current, outgoing } = worker.at(id).context as WorkerContext
    for (const type of worker.timers(id)) {
      if (isNamed(type, OLD_AGE)) {
        this.#fault('retire', 'worker', slot, { type })
        continue
      }
      if (isNamed(type, PACE)) {
        this.#add('worker', slot, { type }, 'pace')
        continue
      }
      const isOfOutgoing = type.includes('.outgoing.')
      const isOfStart = isNamed(type, ['startTimeout'])
      const awaited = isOfOutgoing
        ? outgoing?.incarnation
        : isOfStart
          ? incarnation
          : (current?.incarnation ?? incarnation)
      const process = this.#hosted(slot).find((one) => one.incarnation === awaited)
      const isVain =
        process === undefined ||
        (process.isHung && !process.isKilled) ||
        (isOfStart && process.isMute) ||
        // The kill has thrown: the process knows nothing of it.
        (isNamed(type, ['killTimeout']) && !process.isKilled)
      this.#deadline('worker', slot, { type }, isVain)
    }
  }
}

/** A reading in which one process has said nothing for too long, and all else is well. */
function silenceOf(slot: number, { incarnation, phase }: ModelProcess): EventObject {
  const serving = phase === 'ready'
  const facts = { memoryBytes: 0, silentMs: 2, busy: true }
  const workers = [{ slot: slotName(slot), incarnation, serving, ...facts }]
  const reading = { atMs: 0, memoryRatio: 0, utilization: 0.5, queued: 0, ready: 99, workers }
  return { type: 'reading.taken', reading } as EventObject
}
