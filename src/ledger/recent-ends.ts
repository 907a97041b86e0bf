/**
 * How the last tasks ended: enough to answer a task that depends on one of them, and to show what
 * happened lately. Two generations: when the younger is full, the older is forgotten as a whole, for
 * this is done once for every task and must cost next to nothing.
 */
import type { ErrorFacts } from '../../machines/vocabulary.ts'
import { roughBytes } from '../rough-size.ts'
import type { TaskRecord } from './record.ts'

/** So many ended tasks are known by their id, at least, and at most twice as many. */
export const RECENT_ENDS = 10_000
/** A generation is full, too, when its results are so large together (estimated). */
export const MAX_GENERATION_BYTES = 32 * 1024 * 1024
/** The estimate of one result ends here: none is larger. */
const MAX_RESULT_BYTES = 64 * 1024 * 1024

export interface RecentEnd {
  readonly id: string
  readonly name: string
  readonly state: 'succeeded' | 'failed' | 'cancelled'
  readonly value: unknown
  readonly error: ErrorFacts | null
  readonly attempt: number
  readonly runMs: number
  /** On the ledger's clock. */
  readonly endedAtMs: number
}

/** Ends in their order. Who ended is looked up only once somebody asks. */
class Generation {
  readonly ends: RecentEnd[] = []
  bytes = 0
  readonly #byId = new Map<string, RecentEnd>()
  #indexed = 0

  get(id: string): RecentEnd | undefined {
    for (; this.#indexed < this.ends.length; this.#indexed++) {
      const end = this.ends[this.#indexed] as RecentEnd
      this.#byId.set(end.id, end)
    }
    return this.#byId.get(id)
  }
}

export class RecentEnds {
  #young = new Generation()
  #old = new Generation()

  get(id: string): RecentEnd | undefined {
    return this.#young.get(id) ?? this.#old.get(id)
  }

  note(record: TaskRecord): void {
    const { id, name, value, error, attempt, startedAtMs, endedAtMs } = record
    const state = record.state as RecentEnd['state']
    const runMs = attempt === 0 ? 0 : endedAtMs - startedAtMs
    const bytes = roughBytes(value, MAX_RESULT_BYTES)
    const { ends, bytes: taken } = this.#young
    const isFull = ends.length >= RECENT_ENDS || taken + bytes > MAX_GENERATION_BYTES
    if (isFull && ends.length > 0) {
      this.#old = this.#young
      this.#young = new Generation()
    }
    this.#young.bytes += bytes
    this.#young.ends.push({ id, name, state, value, error, attempt, runMs, endedAtMs })
  }

  /** The last `count` to end, the newest first. */
  latest(count: number): RecentEnd[] {
    const young = this.#young.ends.slice(-count)
    const left = count - young.length
    const old = left === 0 ? [] : this.#old.ends.slice(-left)
    return count === 0 ? [] : [...old, ...young].reverse()
  }
}
