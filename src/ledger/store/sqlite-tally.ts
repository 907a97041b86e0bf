/**
 * How much lies in a table that has a limit: counted along with what is written, so that a look at it
 * costs nothing. It never writes to the table itself.
 */
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { Row } from './sqlite-rows.ts'

export class SqliteTally {
  readonly #totals: StatementSync
  #count = 0
  #bytes = 0

  constructor(db: DatabaseSync, table: 'dead_letters' | 'results') {
    this.#totals = db.prepare(`SELECT count(*) count, total(bytes) bytes FROM ${table}`)
    this.recount()
  }

  get count(): number {
    return this.#count
  }

  get bytes(): number {
    return this.#bytes
  }

  /** What was counted may have been rolled back. */
  recount(): void {
    const { count, bytes } = this.#totals.get() as Row
    this.#count = Number(count)
    this.#bytes = Number(bytes)
  }

  added(bytes: number): void {
    this.#count++
    this.#bytes += bytes
  }

  /** With what `DELETE … RETURNING bytes` says; undefined: nothing was there. */
  removed(row: Readonly<Record<string, unknown>> | undefined): void {
    if (row === undefined) return
    this.#count--
    this.#bytes -= Number(row.bytes)
  }
}
