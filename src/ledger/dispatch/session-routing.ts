/**
 * Which session each browser is opened for, and when one is asked to make way for another. A worker
 * is always replaced before it retires; it is asked once, and not again while its successor starts.
 * A session that cannot be opened is tried again later and later, and at last given up. Where the
 * task file names but one session, none of this happens.
 */
import { type Backoff, backoffMs } from '../../../machines/policy.ts'
import {
  type Candidate,
  chooseReplacement,
  chooseSession,
  DEFAULT_SESSION,
  MIN_SESSION_MS,
  wantsHolder,
} from '../../../machines/order-policy.ts'
import type { SerializedError, ExitCause, SlotId } from '../../../machines/protocol.ts'
import { keyOf } from '../../common/process-key.ts'
import type { SlotCapabilities } from './capabilities.ts'
import type { LedgerPorts } from '../ports.ts'
import type { Queue } from '../queue/queue.ts'
import type { RequirementClass } from '../queue/queue-lists.ts'
import type { WorkerCapacity, WorkerCapacities } from './worker-capacity.ts'
import { WakeTimer } from './wake-timer.ts'

/** A worker that was asked and has not been replaced by then was asked in vain. */
const ASK_LIMIT_MS = 30_000
/** A session that could not be opened so often in a row is given up for the tasks that wait for it. */
export const MAX_SESSION_FAILURES = 5
const RETRY: Backoff = { type: 'exponential', delayMs: 1_000, maxDelayMs: 30_000, jitter: 0 }
const FAILURES: ReadonlySet<ExitCause> = new Set([
  'crashed',
  'startFailed',
  'startTimedOut',
  'violated',
  'silent',
])

const NO_SESSIONS: ReadonlySet<string> = new Set()

interface Process {
  readonly slot: SlotId
  readonly incarnation: number
}
interface Opening extends Process {
  readonly session: string
}
interface Ask extends Opening {
  readonly atMs: number
}
interface Trouble {
  readonly failures: number
  readonly untilMs: number
}
interface Parts {
  readonly queue: Queue
  readonly workers: WorkerCapacities
  readonly offers: SlotCapabilities
  /** Asks for a round. */
  want(): void
}
type Ports = Pick<LedgerPorts, 'clock' | 'sendWorker' | 'slots'>
type Exit = Process & { readonly cause: ExitCause; readonly error: SerializedError | null }

export class SessionRouting {
  readonly #queue: Queue
  readonly #workers: WorkerCapacities
  readonly #offers: SlotCapabilities
  readonly #ports: Ports
  readonly #tasksPerWorker: number
  readonly #wakeTimer: WakeTimer
  /** Told which session to open, and not taking tasks yet. */
  readonly #opening = new Map<string, Opening>()
  /** Asked to make way for a session. */
  readonly #asked = new Map<SlotId, Ask>()
  readonly #troubles = new Map<string, Trouble>()
  /** What each slot held last. */
  readonly #last = new Map<SlotId, string>()

  constructor({ queue, workers, offers, want }: Parts, ports: Ports, tasksPerWorker: number) {
    this.#queue = queue
    this.#workers = workers
    this.#offers = offers
    this.#ports = ports
    this.#tasksPerWorker = tasksPerWorker
    this.#wakeTimer = new WakeTimer(ports.clock, want)
  }

  /** The session that this process is to open. */
  choose({ slot, incarnation }: Process): string {
    const ask = this.#asked.get(slot)
    this.#asked.delete(slot)
    for (const [key, one] of this.#opening) if (one.slot === slot) this.#opening.delete(key)
    const demand = this.#demandAt(slot)
    const wanted = ask !== undefined && (demand.get(ask.session) ?? 0) > 0 ? ask.session : null
    const session = wanted ?? chooseSession(demand, this.#holdersBeside(slot), this.#before(slot))
    this.#opening.set(keyOf({ slot, incarnation }), { slot, incarnation, session })
    this.#last.set(slot, session)
    return session
  }

  /** It takes tasks from now on. Gives back its session. */
  opened(process: Process): string {
    const session = this.#opening.get(keyOf(process))?.session ?? DEFAULT_SESSION
    this.#opening.delete(keyOf(process))
    this.#troubles.delete(session)
    return session
  }

  /** It is gone. Gives back a session that is given up with it, or null. */
  exited({ slot, incarnation, cause }: Exit): string | null {
    const ask = this.#asked.get(slot)
    const opening = this.#opening.get(keyOf({ slot, incarnation }))
    this.#opening.delete(keyOf({ slot, incarnation }))
    if (ask !== undefined && incarnation >= ask.incarnation) this.#asked.delete(slot)
    const isSuccessor = ask !== undefined && incarnation > ask.incarnation
    const session = opening?.session ?? (isSuccessor ? ask.session : null)
    if (session === null || !FAILURES.has(cause) || !this.isNeeded) return null
    const failures = (this.#troubles.get(session)?.failures ?? 0) + 1
    const untilMs = this.#ports.clock.nowMs() + backoffMs(RETRY, failures, 0)
    this.#troubles.set(session, { failures, untilMs })
    return failures >= MAX_SESSION_FAILURES ? session : null
  }

  /** After a round: asks workers to make way for what waits and nobody can run. */
  balance(): void {
    if (!this.isNeeded) return
    const nowMs = this.#ports.clock.nowMs()
    for (const [slot, { atMs }] of this.#asked) {
      if (atMs + ASK_LIMIT_MS <= nowMs) this.#asked.delete(slot)
    }
    const demands = this.#queue.inTurn().filter(({ session }) => session !== null)
    if (demands.length === 0) return this.rest()
    for (const demand of demands) this.#serve(demand, demand.session as string, nowMs)
    for (const { atMs } of this.#asked.values()) this.#wakeTimer.by(atMs + ASK_LIMIT_MS)
  }

  /** Nothing waits any more, or ever again. */
  rest(): void {
    this.#wakeTimer.drop()
  }

  /** What the slot held before, unless that could not be opened. */
  #before(slot: SlotId): string {
    const last = this.#last.get(slot) ?? DEFAULT_SESSION
    return this.#troubles.has(last) ? DEFAULT_SESSION : last
  }

  /** Whether there is more than one session. */
  get isNeeded(): boolean {
    return (this.#queue.demands.known?.sessions.size ?? 1) > 1
  }

  #serve(demand: RequirementClass, session: string, nowMs: number): void {
    const workers = this.#workersFor(demand, session)
    if (!wantsHolder({ waiting: demand.waiting, workers })) return
    const untilMs = this.#troubles.get(session)?.untilMs ?? 0
    if (untilMs > nowMs) return this.#wakeTimer.by(untilMs)
    const could = this.#workers.all().filter((worker) => this.#couldMakeWay(worker, demand))
    const candidates = could.map((worker) => this.#candidate(worker, nowMs))
    const worker = could[chooseReplacement(candidates, workers > 0)]
    if (worker === undefined) return this.#waitForOne(candidates, workers > 0, nowMs)
    const { slot, incarnation } = worker
    this.#asked.set(slot, { slot, incarnation, session, atMs: nowMs })
    this.#ports.sendWorker(slot, { type: 'retire.requested', incarnation })
  }

  /** The first of those that have not held their session long enough will have. */
  #waitForOne(candidates: readonly Candidate[], isHeld: boolean, nowMs: number): void {
    const waits = candidates.flatMap(({ heldMs, isWanted }) =>
      heldMs < MIN_SESSION_MS && isWanted !== isHeld ? [MIN_SESSION_MS - heldMs] : [],
    )
    if (waits.length > 0) this.#wakeTimer.by(nowMs + Math.min(...waits))
  }

  /** Seats for tasks of this route, there or on their way. */
  #workersFor(demand: RequirementClass, session: string): number {
    let workers = 0
    for (const worker of this.#workers.all()) {
      if (worker.isOpen && demand.fits(worker) && !this.#asked.has(worker.slot))
        workers += worker.capacity
    }
    for (const one of this.#coming()) {
      if (one.session === session && this.#offers.has(one.slot, demand.requires)) {
        workers += this.#tasksPerWorker
      }
    }
    return workers
  }

  #couldMakeWay(
    { isOpen, slot, session, incarnation }: WorkerCapacity,
    demand: RequirementClass,
  ): boolean {
    if (!isOpen || this.#asked.has(slot) || session === demand.session) return false
    if (!this.#offers.has(slot, demand.requires)) return false
    const isBesideIt = (one: Process) => one.slot === slot && one.incarnation !== incarnation
    return !this.#workers.all().some(isBesideIt) && ![...this.#opening.values()].some(isBesideIt)
  }

  #candidate(worker: WorkerCapacity, nowMs: number): Candidate {
    const { session, slot } = worker
    const isWanted = this.#queue.open.some(
      (demand) => demand.session !== null && demand.fits(worker),
    )
    const others = this.#holdersBeside(slot)
    return {
      used: worker.used,
      heldMs: worker.hasWorked ? nowMs - worker.openedAtMs : MIN_SESSION_MS,
      isWanted,
      isLast: (others.get(session) ?? 0) === 0,
    }
  }

  /** What waits for each session, could run in this slot, and has no place on its way. */
  #demandAt(slot: SlotId): Map<string, number> {
    const nowMs = this.#ports.clock.nowMs()
    const demand = new Map<string, number>()
    const known = this.#queue.demands.known?.sessions ?? NO_SESSIONS
    for (const { session, requires, waiting } of this.#queue.inTurn()) {
      if (session === null || !known.has(session) || !this.#offers.has(slot, requires)) continue
      if ((this.#troubles.get(session)?.untilMs ?? 0) > nowMs) continue
      demand.set(session, (demand.get(session) ?? 0) + waiting)
    }
    for (const one of this.#coming()) {
      const waiting = one.slot === slot ? undefined : demand.get(one.session)
      if (waiting === undefined) continue
      demand.set(one.session, Math.max(waiting - this.#tasksPerWorker, 0))
    }
    return demand
  }

  /** Sessions on their way to where tasks run: a spare that stands by is not. */
  #coming(): Opening[] {
    const slots = this.#ports.slots?.() ?? null
    const opening = [...this.#opening.values()].filter(({ slot }) => slots?.includes(slot) ?? true)
    return [...opening, ...this.#asked.values()]
  }

  /** Workers of other slots that hold each session, or are about to. */
  #holdersBeside(slot: SlotId): Map<string, number> {
    const holders = new Map<string, number>()
    const count = (session: string) => holders.set(session, (holders.get(session) ?? 0) + 1)
    for (const worker of this.#workers.all()) {
      if (worker.isOpen && worker.slot !== slot && !this.#asked.has(worker.slot))
        count(worker.session)
    }
    for (const one of this.#coming()) {
      if (one.slot !== slot) count(one.session)
    }
    return holders
  }
}
