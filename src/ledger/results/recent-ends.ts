/**
 * How the last tasks ended: enough to answer a task that depends on one of them, and to show what
 * happened lately. Two generations: when the younger is full, the older is forgotten as a whole and
 * its room is used again, for this is done once for every task and must cost next to nothing.
 */
import type { SerializedError } from '../../../machines/protocol.ts'
import { weigh } from '../../values/snapshot.ts'
import { IdColumn } from '../../common/id-column.ts'
import type { TaskRecord } from '../task/record.ts'

/** So many ended tasks are known by their id, at least, and at most twice as many. */
export const RECENT_ENDS = 10_000
/** A generation is full, too, when its results are so large together (estimated). */
const MAX_GENERATION_BYTES = 32 * 1024 * 1024
/** The estimate of one result ends here: none is larger. */
const MAX_RESULT_BYTES = 64 * 1024 * 1024
const STATES = ['succeeded', 'failed', 'cancelled'] as const
/** Room is made for so many at a time: a pool that ends few tasks holds little. A power of two. */
const PAGE_ROWS = 128

export interface RecentEnd {
  readonly id: string
  readonly name: string
  readonly state: (typeof STATES)[number]
  readonly value: unknown
  readonly error: SerializedError | null
  readonly attempt: number
  readonly runMs: number
  /** On the ledger's clock. */
  readonly endedAtMs: number
}

/** The columns of the ends that follow each other. Once made, it is kept and written again. */
class Page {
  readonly ids = new IdColumn(PAGE_ROWS)
  readonly states = new Uint8Array(PAGE_ROWS)
  readonly attempts = new Float64Array(PAGE_ROWS)
  readonly runMs = new Float64Array(PAGE_ROWS)
  readonly endedAtMs = new Float64Array(PAGE_ROWS)
}

/**
 * Ends in their order, in columns: an object for each would outlive its collections, and cost far
 * more there than here. Who ended is looked up only once somebody asks.
 */
class Generation {
  size = 0
  bytes = 0
  readonly #pages: Page[] = []
  readonly #names: string[] = []
  readonly #values: unknown[] = []
  readonly #errors: (SerializedError | null)[] = []
  readonly #byId = new Map<string, number>()
  #indexed = 0

  add(record: TaskRecord, bytes: number): void {
    const { attempt, endedAtMs } = record
    const index = this.size++
    const row = index % PAGE_ROWS
    const page = (this.#pages[(index - row) / PAGE_ROWS] ??= new Page())
    this.bytes += bytes
    this.#names[index] = record.name
    this.#values[index] = record.value
    this.#errors[index] = record.error
    page.ids.set(row, record.id)
    page.states[row] = STATES.indexOf(record.state as RecentEnd['state'])
    page.attempts[row] = attempt
    page.runMs[row] = attempt === 0 ? 0 : endedAtMs - record.startedAtMs
    page.endedAtMs[row] = endedAtMs
  }

  get(id: string): RecentEnd | undefined {
    for (; this.#indexed < this.size; this.#indexed++) {
      const row = this.#indexed % PAGE_ROWS
      this.#byId.set(this.#pageOf(this.#indexed).ids.get(row), this.#indexed)
    }
    const index = this.#byId.get(id)
    return index === undefined ? undefined : this.at(index)
  }

  at(index: number): RecentEnd {
    const page = this.#pageOf(index)
    const row = index % PAGE_ROWS
    return {
      id: page.ids.get(row),
      name: this.#names[index] as string,
      state: STATES[page.states[row] as number] as RecentEnd['state'],
      value: this.#values[index],
      error: this.#errors[index] as SerializedError | null,
      attempt: page.attempts[row] as number,
      runMs: page.runMs[row] as number,
      endedAtMs: page.endedAtMs[row] as number,
    }
  }

  /** Forgets all; the columns keep their length. */
  clear(): void {
    this.size = 0
    this.bytes = 0
    this.#indexed = 0
    for (const { ids } of this.#pages) ids.clear()
    this.#names.fill('')
    this.#values.fill(undefined)
    this.#errors.fill(null)
    this.#byId.clear()
  }

  #pageOf(index: number): Page {
    return this.#pages[Math.floor(index / PAGE_ROWS)] as Page
  }
}

export class RecentEnds {
  #young = new Generation()
  /** Null before the first generation was full. */
  #old: Generation | null = null

  get(id: string): RecentEnd | undefined {
    return this.#young.get(id) ?? this.#old?.get(id)
  }

  note(record: TaskRecord): void {
    const bytes = weigh(record.value, MAX_RESULT_BYTES)
    const { size, bytes: taken } = this.#young
    const isFull = size >= RECENT_ENDS || taken + bytes > MAX_GENERATION_BYTES
    if (isFull && size > 0) this.#turn()
    this.#young.add(record, bytes)
  }

  /** The last `count` to end, the newest first. */
  latest(count: number): RecentEnd[] {
    const ends: RecentEnd[] = []
    for (const generation of [this.#young, this.#old]) {
      let index = generation?.size ?? 0
      while (index > 0 && ends.length < count) ends.push((generation as Generation).at(--index))
    }
    return ends
  }

  #turn(): void {
    const next = this.#old ?? new Generation()
    next.clear()
    this.#old = this.#young
    this.#young = next
  }
}
