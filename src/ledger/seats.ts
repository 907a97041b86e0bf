/**
 * Which process can take how many tasks, and which it has. A seat belongs to one incarnation: words
 * that name another have no effect. While a slot is recycled, two of its processes have seats; only
 * the open one gets new tasks.
 */
import type { Assignment, SlotId } from '../../machines/vocabulary.ts'
import type { TaskRecord } from './record.ts'

export class Seat {
  readonly slot: SlotId
  readonly incarnation: number
  readonly capacity: number
  readonly tasks = new Set<TaskRecord>()
  isOpen = true
  /** Assigned in this round, not yet sent. */
  outbox: Assignment[] = []

  constructor(slot: SlotId, incarnation: number, capacity: number) {
    this.slot = slot
    this.incarnation = incarnation
    this.capacity = capacity
  }

  get free(): number {
    return this.isOpen ? this.capacity - this.tasks.size : 0
  }
}

export class Seats {
  #seats: Seat[] = []
  #open: Seat[] = []
  /** Where the next round begins, so that every worker gets its turn. */
  #turn = 0

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

  open(slot: SlotId, incarnation: number, capacity: number): void {
    const seat = new Seat(slot, incarnation, capacity)
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

  /** The next open seat with room, round-robin; null when all are taken. */
  next(): Seat | null {
    for (let step = 0; step < this.#open.length; step++) {
      const seat = this.#open[(this.#turn + step) % this.#open.length] as Seat
      if (seat.free > 0) {
        this.#turn = (this.#turn + step + 1) % this.#open.length
        return seat
      }
    }
    return null
  }
}
