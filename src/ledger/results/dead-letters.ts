/**
 * The tasks that ended `failed`, kept so that somebody can look at them and send them again. This
 * port is what the ledger and the pool use; the implementation here lives in memory and dies with
 * the pool. It never runs anything.
 */
import { deserialize, serialize } from 'node:v8'
import type { SerializedError } from '../../../machines/protocol.ts'
import type { NormalTaskOptions } from '../../config/task-option-checks.ts'
import { BoundedMap } from '../../common/bounded-map.ts'
import { DEFAULT_MAX_DEAD_LETTERS } from '../../common/limits.ts'
/** Payloads of all letters together. Two of the largest fit. */
export const MAX_DEAD_LETTER_BYTES = 128 * 1024 * 1024
/** A letter costs this besides its payload. */
const LETTER_BYTES = 1_024

export interface StoredLetter {
  /** The task's own id; a later failure of the same id replaces the letter. */
  readonly id: string
  readonly name: string
  readonly payload: unknown
  /** As it was submitted, without its signal. */
  readonly options: NormalTaskOptions
  readonly error: SerializedError
  /** Starts it took. */
  readonly attempts: number
  /** ms since 1970. */
  readonly submittedAt: number
  readonly failedAt: number
}

export interface LetterFilter {
  readonly name?: string | undefined
  /** Matches the error's code, its class name, or the handler's own code. */
  readonly errorCode?: string | undefined
}

export interface LetterPage {
  /** Oldest failure first. */
  readonly letters: readonly StoredLetter[]
  /** Where the next page begins; null when this was the last. */
  readonly next: number | null
}

export interface DeadLetters {
  readonly count: number
  readonly bytes: number
  /** Letters lost to the limits. */
  readonly dropped: number
  /** Puts it last. The oldest go when a limit is passed. */
  add(letter: StoredLetter): void
  get(id: string): StoredLetter | null
  /** At most `limit` letters that pass the filter and come after the position `after` (0: all). */
  list(filter: LetterFilter, after: number, limit: number): LetterPage
  delete(id: string): boolean
}

interface Kept {
  readonly position: number
  readonly letter: Omit<StoredLetter, 'payload'>
  /** Serialized: its size is exact, and nobody can change it after it failed. */
  readonly payload: Buffer
}

export class MemoryDeadLetters implements DeadLetters {
  readonly #letters: BoundedMap<Kept>
  readonly #isOff: boolean
  #position = 0

  /** `max` 0: none is kept. */
  constructor(max = DEFAULT_MAX_DEAD_LETTERS, maxBytes = MAX_DEAD_LETTER_BYTES) {
    this.#letters = new BoundedMap({ maxEntries: max, maxBytes })
    this.#isOff = max === 0
  }

  get count(): number {
    return this.#letters.size
  }

  get bytes(): number {
    return this.#letters.bytes
  }

  get dropped(): number {
    return this.#letters.dropped
  }

  add({ payload, ...letter }: StoredLetter): void {
    if (this.#isOff) return
    const kept = { position: ++this.#position, letter, payload: serialize(payload) }
    this.#letters.put(letter.id, kept, kept.payload.byteLength + LETTER_BYTES)
  }

  get(id: string): StoredLetter | null {
    const kept = this.#letters.get(id)
    return kept === undefined ? null : opened(kept)
  }

  list(filter: LetterFilter, after: number, limit: number): LetterPage {
    const letters: StoredLetter[] = []
    let next = after
    for (const kept of this.#letters.values()) {
      if (kept.position <= after || !passes(filter, kept.letter)) continue
      if (letters.length === limit) return { letters, next }
      letters.push(opened(kept))
      next = kept.position
    }
    return { letters, next: null }
  }

  delete(id: string): boolean {
    return this.#letters.delete(id)
  }
}

/** Whether a letter is one of those asked for. */
export function passes(
  { name, errorCode }: LetterFilter,
  letter: Pick<StoredLetter, 'name' | 'error'>,
): boolean {
  if (name !== undefined && letter.name !== name) return false
  if (errorCode === undefined) return true
  const { code, name: errorName, ownCode } = letter.error
  return code === errorCode || errorName === errorCode || ownCode === errorCode
}

function opened({ letter, payload }: Kept): StoredLetter {
  return { ...letter, payload: deserialize(payload) as unknown }
}
