/**
 * A map that forgets its oldest entries rather than grow past a number of entries or of bytes. What
 * is looked up with `use` becomes the youngest again (LRU); with `get` it keeps its age. It never
 * measures: who puts something in says how big it is.
 */
export interface Bounds {
  readonly maxEntries: number
  readonly maxBytes: number
}

interface Entry<V> {
  readonly value: V
  readonly bytes: number
}

export class BoundedMap<V> {
  readonly #entries = new Map<string, Entry<V>>()
  readonly #bounds: Bounds
  /**
   * Goes on from where it was: whatever lies behind it is gone. A new one would have to step over
   * every place that a map keeps of what was deleted.
   */
  #oldest = this.#entries.keys()
  #bytes = 0
  #dropped = 0

  constructor(bounds: Bounds) {
    this.#bounds = bounds
  }

  get size(): number {
    return this.#entries.size
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Entries that had to go for others, or were too big themselves. */
  get dropped(): number {
    return this.#dropped
  }

  get(key: string): V | undefined {
    return this.#entries.get(key)?.value
  }

  /** As `get`, and it is the last to be forgotten from now on. */
  use(key: string): V | undefined {
    const entry = this.#entries.get(key)
    if (entry === undefined) return undefined
    this.#entries.delete(key)
    this.#entries.set(key, entry)
    return entry.value
  }

  /** False when it is too big by itself: then it is not kept, nor what had its key. */
  put(key: string, value: V, bytes: number): boolean {
    this.delete(key)
    const { maxEntries, maxBytes } = this.#bounds
    if (bytes > maxBytes || maxEntries === 0) {
      this.#dropped++
      return false
    }
    this.#entries.set(key, { value, bytes })
    this.#bytes += bytes
    while (this.#entries.size > maxEntries || this.#bytes > maxBytes) this.#dropOldest()
    return true
  }

  delete(key: string): boolean {
    const entry = this.#entries.get(key)
    if (entry === undefined) return false
    this.#bytes -= entry.bytes
    return this.#entries.delete(key)
  }

  clear(): void {
    this.#entries.clear()
    this.#bytes = 0
  }

  /** Oldest first. */
  *values(): Generator<V> {
    for (const { value } of this.#entries.values()) yield value
  }

  #dropOldest(): void {
    let next = this.#oldest.next()
    if (next.done === true) {
      this.#oldest = this.#entries.keys()
      next = this.#oldest.next()
    }
    if (next.done === true) return
    this.delete(next.value)
    this.#dropped++
  }
}
