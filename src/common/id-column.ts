/**
 * Many ids, each in its row, as bytes: to keep the strings themselves would have each of them moved
 * by the collector, twice. An id that is long or not Latin is kept as it is.
 */

/** A row: room for what Troupe makes (21) and for a UUID (36). */
const ROW_BYTES = 40
const LATIN = 0xff

export class IdColumn {
  readonly #bytes: Uint8Array
  readonly #lengths: Uint8Array
  /** Those that fit no row. */
  readonly #others = new Map<number, string>()

  constructor(rows: number) {
    this.#bytes = new Uint8Array(rows * ROW_BYTES)
    this.#lengths = new Uint8Array(rows)
  }

  /** Each row is set once until all are cleared. */
  set(row: number, id: string): void {
    const { length } = id
    const bytes = this.#bytes
    const start = row * ROW_BYTES
    let all = length > ROW_BYTES ? LATIN + 1 : 0
    if (all === 0) {
      this.#lengths[row] = length
      for (let i = 0; i < length; i++) {
        const code = id.charCodeAt(i)
        all |= code
        bytes[start + i] = code
      }
    }
    if (all > LATIN) this.#others.set(row, id)
  }

  get(row: number): string {
    const other = this.#others.get(row)
    if (other !== undefined) return other
    const start = row * ROW_BYTES
    return String.fromCharCode(
      ...this.#bytes.subarray(start, start + (this.#lengths[row] as number)),
    )
  }

  clear(): void {
    this.#others.clear()
  }
}
