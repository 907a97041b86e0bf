/**
 * One heap for every deadline of every task, and one real timer for its top. A record stands in it
 * at most once, by the earlier of its state's timer and its life's deadline.
 */
import type { TaskRecord } from './record.ts'

/** When the record's next timer is due, 0 for never. */
export function dueAtMs(record: TaskRecord): number {
  if (record.timerAtMs === 0) return record.deadlineAtMs
  if (record.deadlineAtMs === 0) return record.timerAtMs
  return Math.min(record.timerAtMs, record.deadlineAtMs)
}

export class TimerHeap {
  #heap: TaskRecord[] = []

  get size(): number {
    return this.#heap.length
  }

  /** When the earliest is due, 0 when there is none. */
  get nextAtMs(): number {
    const top = this.#heap[0]
    return top === undefined ? 0 : dueAtMs(top)
  }

  /** Puts the record where its times say: in, elsewhere, or out. */
  update(record: TaskRecord): void {
    if (dueAtMs(record) === 0) {
      this.#remove(record)
      return
    }
    if (record.heapIndex === -1) {
      record.heapIndex = this.#heap.length
      this.#heap.push(record)
    }
    this.#settle(record)
  }

  /** The earliest record, if it is due by now. It stays in until its times change. */
  due(nowMs: number): TaskRecord | null {
    const top = this.#heap[0]
    return top !== undefined && dueAtMs(top) <= nowMs ? top : null
  }

  #remove(record: TaskRecord): void {
    if (record.heapIndex === -1) return
    const last = this.#heap.pop() as TaskRecord
    if (last !== record) {
      this.#heap[record.heapIndex] = last
      last.heapIndex = record.heapIndex
      this.#settle(last)
    }
    record.heapIndex = -1
  }

  #settle(record: TaskRecord): void {
    this.#rise(record)
    this.#sink(record)
  }

  #rise(record: TaskRecord): void {
    const atMs = dueAtMs(record)
    let index = record.heapIndex
    while (index > 0) {
      const parentIndex = (index - 1) >> 1
      const parent = this.#heap[parentIndex] as TaskRecord
      if (dueAtMs(parent) <= atMs) break
      this.#place(parent, index)
      index = parentIndex
    }
    this.#place(record, index)
  }

  #sink(record: TaskRecord): void {
    const atMs = dueAtMs(record)
    let index = record.heapIndex
    for (;;) {
      let childIndex = 2 * index + 1
      let child = this.#heap[childIndex]
      const right = this.#heap[childIndex + 1]
      if (right !== undefined && child !== undefined && dueAtMs(right) < dueAtMs(child)) {
        child = right
        childIndex++
      }
      if (child === undefined || dueAtMs(child) >= atMs) break
      this.#place(child, index)
      index = childIndex
    }
    this.#place(record, index)
  }

  #place(record: TaskRecord, index: number): void {
    this.#heap[index] = record
    record.heapIndex = index
  }
}
