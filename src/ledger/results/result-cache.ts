/**
 * Results by key, so that a task with the same key need not run again. This port is what the ledger
 * uses; the implementation here lives in memory: the least recently used go first when it is full.
 * Values are kept serialized, so that nobody who got one can change what the next one gets.
 */
import { deserialize, serialize } from 'node:v8'
import { BoundedMap } from '../../common/bounded-map.ts'
import { DEFAULT_CACHE_BYTES } from '../../common/limits.ts'
const MAX_CACHED_RESULTS = 1_000_000
/** An entry costs this besides its key and its value. */
const ENTRY_BYTES = 256

export interface ResultCache {
  readonly count: number
  readonly bytes: number
  /** The result, if there is one and it is not too old at `now` (ms since 1970). */
  get(key: string, now: number): { readonly value: unknown } | null
  /** Keeps it until `expiresAt` (ms since 1970; 0: for as long as there is room). */
  put(key: string, value: unknown, expiresAt: number): void
  delete(key: string): boolean
  clear(): void
}

interface Kept {
  readonly value: Buffer
  readonly expiresAt: number
}

export class MemoryResultCache implements ResultCache {
  readonly #results: BoundedMap<Kept>

  constructor(maxBytes = DEFAULT_CACHE_BYTES) {
    this.#results = new BoundedMap({ maxEntries: MAX_CACHED_RESULTS, maxBytes })
  }

  get count(): number {
    return this.#results.size
  }

  get bytes(): number {
    return this.#results.bytes
  }

  get(key: string, now: number): { readonly value: unknown } | null {
    const kept = this.#results.use(key)
    if (kept === undefined) return null
    if (kept.expiresAt === 0 || now < kept.expiresAt) return { value: deserialize(kept.value) }
    this.#results.delete(key)
    return null
  }

  put(key: string, value: unknown, expiresAt: number): void {
    const kept = { value: serialize(value), expiresAt }
    this.#results.put(key, kept, kept.value.byteLength + key.length + ENTRY_BYTES)
  }

  delete(key: string): boolean {
    return this.#results.delete(key)
  }

  clear(): void {
    this.#results.clear()
  }
}

/** Tasks of different names never share a result, nor a key. */
export function keyOf(name: string, key: string): string {
  return `${name}\n${key}`
}
