/**
 * Which task goes to which process, and when: the queue, the seats, and who holds dispatch back.
 * Rounds are told to each process once. The only tasks it ends are those no worker can ever run.
 */
import type { TaskEvent } from '../../machines/task-facts.ts'
import type { ErrorFacts, SlotId } from '../../machines/vocabulary.ts'
import type { WorkerToLedger } from '../../machines/worker-words.ts'
import { orderOf } from './assignment.ts'
import { Offers, type Wanted } from './offers.ts'
import { DEFAULT_ORDER } from './order-plan.ts'
import type { LedgerPolicy, LedgerPorts } from './ports.ts'
import { Queue } from './queue.ts'
import type { TaskRecord } from './record.ts'
import type { KnownTasks, Route } from './routes.ts'
import { type Seat, Seats } from './seats.ts'
import { MAX_SESSION_FAILURES, SessionRouting } from './session-routing.ts'

type Ports = Pick<LedgerPorts, 'clock' | 'tellWorker' | 'slots'>
type Exit = Extract<WorkerToLedger, { type: 'worker.exited' }>
/** Moves a task by its machine. */
export type Step = (record: TaskRecord, event: TaskEvent) => void

export class Dispatch {
  readonly queue: Queue
  readonly seats: Seats
  readonly offers: Offers
  readonly sessions: SessionRouting
  readonly #seatsPerWorker: number
  readonly #holders = new Set<string>()
  readonly #ports: Ports
  readonly #step: Step
  readonly #due: () => void
  readonly #isAnswered: (record: TaskRecord) => boolean
  readonly #isMeasuring: boolean
  readonly #hasRoom = (route: Route) => this.seats.hasRoom(route)
  #isDue = false
  #isHalted = false

  /**
   * `due` asks for a round, through the door of the ledger's actor. `isAnswered` says that a task's
   * result has become known while it waited.
   */
  constructor(
    policy: LedgerPolicy,
    ports: Ports,
    step: Step,
    due: () => void,
    isAnswered: (record: TaskRecord) => boolean,
  ) {
    const order = policy.order ?? DEFAULT_ORDER
    this.queue = new Queue({ ...order, nowMs: () => ports.clock.nowMs() })
    this.seats = new Seats(order.strategy)
    this.offers = new Offers(order.capabilities, () => ports.slots?.() ?? null)
    const { queue, seats, offers } = this
    const want = () => this.want()
    this.sessions = new SessionRouting({ queue, seats, offers, want }, ports, policy.seatsPerWorker)
    this.#seatsPerWorker = policy.seatsPerWorker
    this.#isMeasuring = order.strategy === 'adaptive'
    this.#ports = ports
    this.#step = step
    this.#due = due
    this.#isAnswered = isAnswered
  }

  hold(holder: string): void {
    this.#holders.add(holder)
  }

  free(holder: string): void {
    this.#holders.delete(holder)
    this.want()
  }

  /** After a defect: nobody else holds it, for whoever did may have been lost with its word. */
  holdAlone(holder: string): void {
    this.#holders.clear()
    this.#holders.add(holder)
  }

  halt(): void {
    this.#isHalted = true
    this.rest()
  }

  /** Why no worker can ever run such a task; null when one can. */
  refusal(wanted: Wanted): string | null {
    return this.offers.refusal(wanted, this.queue.routes.known)
  }

  /** No task is left to wait for anything. */
  rest(): void {
    this.sessions.rest()
  }

  open(slot: SlotId, incarnation: number): void {
    const session = this.sessions.opened({ slot, incarnation })
    const offer = { session, capabilities: this.offers.of(slot) }
    const nowMs = this.#ports.clock.nowMs()
    this.seats.open(slot, incarnation, this.#seatsPerWorker, offer, nowMs)
    this.want()
  }

  exited(event: Exit): void {
    const session = this.sessions.exited(event)
    if (this.sessions.isNeeded) this.want()
    if (session === null) return
    const what = `the session ${session} could not be opened ${MAX_SESSION_FAILURES} times in a row`
    const error = { code: 'WORKER_START_FAILED', message: what }
    const isMeant = (route: Route) => route.session === session
    this.#fail(isMeant, event.error === null ? error : { ...error, cause: event.error })
  }

  limit(group: string, limit: number): void {
    this.queue.setLimit(group, limit)
    this.want()
  }

  /** The task file is known: what it does not declare will never run. */
  learn(known: KnownTasks): void {
    this.queue.learn(known)
    this.review()
  }

  /** What workers there are has changed: what could run may not be able to any more. */
  review(): void {
    for (const route of this.queue.routes.all) route.refusal = undefined
    this.want()
  }

  /** A round will come once everything that is due now has been dealt with. */
  want(): void {
    if (this.#isDue) return
    this.#isDue = true
    this.#ports.clock.defer(() => {
      if (!this.#isHalted) this.#due()
    })
  }

  /** Gives out what can start now. */
  round(): void {
    this.#isDue = false
    this.#refuse()
    if (this.#holders.size > 0) return
    const nowMs = this.#ports.clock.nowMs()
    const used = new Set<Seat>()
    for (let seat = this.#assign(nowMs); seat !== null; seat = this.#assign(nowMs)) used.add(seat)
    for (const seat of used) {
      const { slot, incarnation, outbox: tasks } = seat
      seat.outbox = []
      this.#ports.tellWorker(slot, { type: 'tasks.assigned', incarnation, tasks })
    }
    this.sessions.balance()
  }

  /** The seat has the task no longer. */
  release(seat: Seat, record: TaskRecord): void {
    seat.leave(record)
    if (this.queue.leave(record)) this.want()
  }

  /** So long did it take, when it went well. */
  measure(seat: Seat, { startedAtMs }: TaskRecord): void {
    if (this.#isMeasuring) seat.measure(this.#ports.clock.nowMs() - startedAtMs)
  }

  /** Ends what no worker can ever run. */
  #refuse(): void {
    for (const route of this.queue.open) {
      if (route.refusal === undefined) {
        route.refusal = this.refusal(route)
      }
    }
    const refused = this.queue.open.filter(({ refusal }) => refusal !== null)
    for (const route of refused) {
      const error = { code: 'CONFIG_INVALID', message: route.refusal ?? '' }
      this.#fail((other) => other === route, error)
    }
  }

  #fail(isMeant: (route: Route) => boolean, error: ErrorFacts): void {
    for (const record of this.queue.tasksOn(isMeant)) {
      this.#step(record, { type: 'pool.failed', error: { ...error, retryable: false } })
    }
  }

  /** Gives the next task to whom it is for; null when none can start. */
  #assign(nowMs: number): Seat | null {
    for (;;) {
      const line = this.queue.next(this.#hasRoom)
      const seat = line === null ? null : this.seats.choose(line, this.queue.open)
      if (line === null || seat === null) return null
      const record = seat.favourite(line) ?? (line.head as TaskRecord)
      if (record.options.cache === undefined || !this.#isAnswered(record)) {
        this.#give(record, seat, line.head !== record, nowMs)
        return seat
      }
      this.#step(record, { type: 'result.found' })
    }
  }

  #give(record: TaskRecord, seat: Seat, isOutOfTurn: boolean, nowMs: number): void {
    seat.take(record, isOutOfTurn)
    this.queue.take(record)
    record.startedAtMs = nowMs
    this.#step(record, { type: 'attempt.assigned' })
    seat.outbox.push({ taskId: record.id, attempt: record.attempt, order: orderOf(record) })
  }
}
