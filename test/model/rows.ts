/**
 * Rows of numbers, each kept once: a flat table with hashing, so that millions of states fit in
 * memory.
 */

/** The table doubles when it is this full. */
const MAX_LOAD = 0.6

export class Rows {
  readonly width: number
  #cells: Int32Array
  #slots: Int32Array
  #mask: number
  size = 0

  constructor(width: number, capacity = 1 << 14) {
    this.width = width
    this.#cells = new Int32Array(capacity * width)
    this.#slots = new Int32Array(capacity * 2).fill(-1)
    this.#mask = capacity * 2 - 1
  }

  /** The row's number, and whether it was there before: negative numbers are new ones, inverted. */
  add(row: readonly number[]): number {
    let slot = this.#hash(row) & this.#mask
    for (;;) {
      const id = this.#slots[slot] as number
      if (id === -1) break
      if (this.#equals(id, row)) return id
      slot = (slot + 1) & this.#mask
    }
    const id = this.size++
    if ((id + 1) * this.width > this.#cells.length) this.#growCells()
    this.#cells.set(row, id * this.width)
    this.#slots[slot] = id
    if (this.size > this.#mask * MAX_LOAD) this.#growSlots()
    return ~id
  }

  at(id: number): Int32Array {
    return this.#cells.subarray(id * this.width, (id + 1) * this.width)
  }

  #equals(id: number, row: readonly number[]): boolean {
    const start = id * this.width
    for (let at = 0; at < this.width; at++) if (this.#cells[start + at] !== row[at]) return false
    return true
  }

  #hash(row: ArrayLike<number>): number {
    let hash = 0x811c9dc5
    for (let at = 0; at < this.width; at++) {
      hash = Math.imul(hash ^ (row[at] as number), 0x01000193)
      hash ^= hash >>> 15
    }
    hash = Math.imul(hash ^ (hash >>> 13), 0x5bd1e995)
    return (hash ^ (hash >>> 16)) >>> 0
  }

  #growCells(): void {
    const cells = new Int32Array(this.#cells.length * 2)
    cells.set(this.#cells)
    this.#cells = cells
  }

  #growSlots(): void {
    const length = (this.#mask + 1) * 2
    this.#mask = length - 1
    this.#slots = new Int32Array(length).fill(-1)
    for (let id = 0; id < this.size; id++) {
      let slot = this.#hash(this.at(id)) & this.#mask
      while (this.#slots[slot] !== -1) slot = (slot + 1) & this.#mask
      this.#slots[slot] = id
    }
  }
}

/** A list of numbers that grows. */
export class Numbers {
  #cells = new Int32Array(1 << 14)
  length = 0

  push(value: number): void {
    if (this.length === this.#cells.length) {
      const cells = new Int32Array(this.length * 2)
      cells.set(this.#cells)
      this.#cells = cells
    }
    this.#cells[this.length++] = value
  }

  at(index: number): number {
    return this.#cells[index] as number
  }
}
