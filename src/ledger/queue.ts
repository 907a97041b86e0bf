/**
 * The tasks that may start, by priority (0 first), first in first out within one. Everything costs
 * the same however many wait: lanes are linked lists through the records themselves, so that a
 * cancel takes a task out at once.
 */
import type { TaskRecord } from './record.ts'

interface Lane {
  head: TaskRecord | null
  tail: TaskRecord | null
}

const PRIORITIES = 101

export class Queue {
  #lanes: Lane[] = Array.from({ length: PRIORITIES }, () => ({ head: null, tail: null }))
  /** No lane before this one holds a task. */
  #first = PRIORITIES
  #size = 0

  get size(): number {
    return this.#size
  }

  pushBack(record: TaskRecord): void {
    const lane = this.#laneOf(record)
    record.previous = lane.tail
    record.next = null
    if (lane.tail === null) lane.head = record
    else lane.tail.next = record
    lane.tail = record
    this.#count(record)
  }

  /** For tasks that had their turn and lost it through no fault of their own. */
  pushFront(record: TaskRecord): void {
    const lane = this.#laneOf(record)
    record.previous = null
    record.next = lane.head
    if (lane.head === null) lane.tail = record
    else lane.head.previous = record
    lane.head = record
    this.#count(record)
  }

  /** Takes a task out, wherever it stands. Nothing happens when it is not in. */
  remove(record: TaskRecord): void {
    if (!record.isQueued) return
    const lane = this.#laneOf(record)
    if (record.previous === null) lane.head = record.next
    else record.previous.next = record.next
    if (record.next === null) lane.tail = record.previous
    else record.next.previous = record.previous
    record.previous = null
    record.next = null
    record.isQueued = false
    this.#size--
  }

  /** The task whose turn it is, left where it is. */
  peek(): TaskRecord | null {
    while (this.#first < PRIORITIES) {
      const head = this.#lanes[this.#first]?.head ?? null
      if (head !== null) return head
      this.#first++
    }
    return null
  }

  #laneOf(record: TaskRecord): Lane {
    return this.#lanes[record.options.priority] as Lane
  }

  #count(record: TaskRecord): void {
    record.isQueued = true
    this.#size++
    if (record.options.priority < this.#first) this.#first = record.options.priority
  }
}
