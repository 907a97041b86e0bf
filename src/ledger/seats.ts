/**
 * Which process can take how many tasks, and which it has. A seat belongs to one incarnation: words
 * that name another have no effect. While a slot is recycled, two of its processes have seats; only
 * the open one gets new tasks.
 */
import {
  DEFAULT_SESSION,
  MAX_AFFINITY_STREAK,
  meanAfter,
  strategies,
  type Strategy,
  type StrategyName,
  type WorkerLoad,
} from '../../machines/order-policy.ts'
import type { Assignment, SlotId } from '../../machines/vocabulary.ts'
import { TableAge } from './table-age.ts'
import type { Line } from './lines.ts'
import type { TaskRecord } from './record.ts'
import type { Offer, Route } from './routes.ts'

const NO_CAPABILITIES: ReadonlySet<string> = new Set()
const PLAIN: Offer = { session: DEFAULT_SESSION, capabilities: NO_CAPABILITIES }

export class Seat implements WorkerLoad, Offer {
  readonly slot: SlotId
  readonly incarnation: number
  readonly capacity: number
  readonly session: string
  readonly capabilities: ReadonlySet<string>
  /** When its session was opened to tasks. */
  readonly openedAtMs: number
  tasks = new Set<TaskRecord>()
  isOpen = true
  /** It has had a task. */
  hasWorked = false
  /** Assigned in this round, not yet sent. */
  outbox: Assignment[] = []
  /** What its last task with an affinity had, and how many of those it took out of their turn. */
  affinity: string | null = null
  streak = 0
  meanMs = 0
  samples = 0
  readonly #age = new TableAge()

  constructor(slot: SlotId, incarnation: number, capacity: number, offer: Offer, nowMs: number) {
    this.slot = slot
    this.incarnation = incarnation
    this.capacity = capacity
    this.session = offer.session
    this.capabilities = offer.capabilities
    this.openedAtMs = nowMs
  }

  get used(): number {
    return this.tasks.size
  }

  get free(): number {
    return this.isOpen ? this.capacity - this.tasks.size : 0
  }

  /** The task it should rather have than the first of this line: one like its last. */
  favourite({ strands, head }: Line): TaskRecord | null {
    if (strands === null || this.affinity === null) return null
    const alike = strands.get(this.affinity)?.head ?? null
    return alike === head || this.streak < MAX_AFFINITY_STREAK ? alike : null
  }

  leave(record: TaskRecord): void {
    this.tasks.delete(record)
    if (this.#age.isOver(this.tasks.size)) this.tasks = new Set(this.tasks)
  }

  take(record: TaskRecord, isOutOfTurn: boolean): void {
    this.tasks.add(record)
    this.hasWorked = true
    record.seat = this
    this.streak = isOutOfTurn ? this.streak + 1 : 0
    if (record.options.affinity !== undefined) this.affinity = record.options.affinity
  }

  /** How long a task has taken it. */
  measure(runMs: number): void {
    this.meanMs = meanAfter(this, runMs)
    this.samples = Math.min(this.samples + 1, Number.MAX_SAFE_INTEGER)
  }
}

const hasRoom = (seat: Seat) => seat.free > 0

export class Seats {
  #seats: Seat[] = []
  #open: Seat[] = []
  /** Where the next round begins, so that every worker gets its turn. */
  #turn = 0
  readonly #strategy: Strategy

  constructor(strategy: StrategyName = 'roundRobin') {
    this.#strategy = strategies[strategy]
  }

  /** Seats that take tasks, used ones included. */
  get capacity(): number {
    return this.#open.reduce((sum, seat) => sum + seat.capacity, 0)
  }

  get used(): number {
    return this.#open.reduce((sum, seat) => sum + seat.tasks.size, 0)
  }

  find(slot: SlotId, incarnation: number): Seat | null {
    return (
      this.#seats.find((seat) => seat.slot === slot && seat.incarnation === incarnation) ?? null
    )
  }

  all(): readonly Seat[] {
    return this.#seats
  }

  open(slot: SlotId, incarnation: number, capacity: number, offer = PLAIN, nowMs = 0): void {
    const seat = new Seat(slot, incarnation, capacity, offer, nowMs)
    this.#seats.push(seat)
    this.#open.push(seat)
  }

  close(slot: SlotId, incarnation: number): void {
    const seat = this.find(slot, incarnation)
    if (seat === null) return
    seat.isOpen = false
    this.#open = this.#open.filter((other) => other !== seat)
  }

  /** Takes the seat away. Its tasks are the caller's to end. */
  remove(slot: SlotId, incarnation: number): Seat | null {
    const seat = this.find(slot, incarnation)
    this.close(slot, incarnation)
    this.#seats = this.#seats.filter((other) => other !== seat)
    return seat
  }

  /** Whether a task of this route could start now. */
  hasRoom(route: Route): boolean {
    // Asked for every task: an iterator each time would be felt.
    for (let i = 0; i < this.#open.length; i++) {
      const seat = this.#open[i] as Seat
      if (seat.free > 0 && route.fits(seat)) return true
    }
    return false
  }

  /** The next open seat with room, by the strategy; null when all are taken. */
  next(isFit: (seat: Seat) => boolean = hasRoom): Seat | null {
    const index = this.#strategy(this.#open, this.#turn, isFit)
    if (index === -1) return null
    this.#turn = (index + 1) % this.#open.length
    return this.#open[index] as Seat
  }

  /**
   * Who gets the next task of a line: who had one like it, else one with the least to do for others
   * (`open` are the routes on which tasks wait), by the strategy.
   */
  choose(line: Line, open: readonly Route[]): Seat | null {
    const isPlain = open.length === 1 && line.lane.route.isPlain && line.strands === null
    return isPlain ? this.next() : this.#chooseFitting(line, open)
  }

  #chooseFitting(line: Line, open: readonly Route[]): Seat | null {
    const { route } = line.lane
    const isFit = (seat: Seat) => seat.free > 0 && route.fits(seat)
    if (line.strands !== null) {
      const seat = this.next((one) => isFit(one) && one.favourite(line) !== null)
      if (seat !== null) return seat
    }
    if (open.length === 1) return this.next(isFit)
    const claims = new Map<Seat, number>()
    for (const seat of this.#open) {
      if (isFit(seat)) claims.set(seat, open.filter((other) => other.fits(seat)).length)
    }
    const least = Math.min(...claims.values())
    return this.next((seat) => claims.get(seat) === least)
  }
}
