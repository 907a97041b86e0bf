/**
 * A map that forgets its oldest entries rather than grow past a number of entries or of bytes. What
 * is looked up with `use` becomes the youngest again (LRU); with `get` it keeps its age. It never
 * measures: who puts something in says how big it is.
 */
interface Bounds {
  readonly maxEntries: number
  readonly maxBytes: number
}

interface Entry<V> {
  readonly key: string
  readonly value: V
  readonly bytes: number
  older: Entry<V> | null
  younger: Entry<V> | null
}

export class BoundedMap<V> {
  readonly #entries = new Map<string, Entry<V>>()
  readonly #bounds: Bounds
  /**
   * By age the entries hang on each other. The map's own order would do, but it is read with an
   * iterator: a new one steps over every place of what was deleted, and one that is kept holds on
   * to every table that the map has ever had, and to what stood in them.
   */
  #oldest: Entry<V> | null = null
  #youngest: Entry<V> | null = null
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
    if (entry !== this.#youngest) {
      this.#unlink(entry)
      this.#append(entry)
    }
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
    const entry = { key, value, bytes, older: null, younger: null }
    this.#entries.set(key, entry)
    this.#append(entry)
    this.#bytes += bytes
    while (this.#entries.size > maxEntries || this.#bytes > maxBytes) this.#dropOldest()
    return true
  }

  delete(key: string): boolean {
    const entry = this.#entries.get(key)
    if (entry === undefined) return false
    this.#unlink(entry)
    this.#bytes -= entry.bytes
    return this.#entries.delete(key)
  }

  clear(): void {
    this.#entries.clear()
    this.#oldest = null
    this.#youngest = null
    this.#bytes = 0
  }

  /** Oldest first. Nothing may come or go meanwhile. */
  *values(): Generator<V> {
    for (let entry = this.#oldest; entry !== null; entry = entry.younger) yield entry.value
  }

  #dropOldest(): void {
    if (this.#oldest === null) return
    this.delete(this.#oldest.key)
    this.#dropped++
  }

  #append(entry: Entry<V>): void {
    entry.older = this.#youngest
    if (this.#youngest === null) this.#oldest = entry
    else this.#youngest.younger = entry
    this.#youngest = entry
  }

  /** Its links are cut: what is gone must not keep what came after it. */
  #unlink(entry: Entry<V>): void {
    const { older, younger } = entry
    if (older === null) this.#oldest = younger
    else older.younger = younger
    if (younger === null) this.#youngest = older
    else younger.older = older
    entry.older = null
    entry.younger = null
  }
}
