/**
 * How much of the ended tasks is kept: the oldest go first, by age and by bytes, a bounded number
 * with each commit. It never touches a task that has not ended, nor the end of one that another
 * still waits for.
 */
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { Retention } from '../../config/store-schema.ts'
import type { Row } from './sqlite-rows.ts'

/** Ended tasks looked at for one commit. */
const MAX_LOOKED_AT = 1_000

interface Totals {
  readonly count: number
  readonly bytes: number
  /** The newest one's place in the order of their ends. */
  readonly last: number
  /** When the oldest that may go ended, in ms since 1970; Infinity when there is none. */
  readonly oldestAt: number
  /** Up to this place all that are left are still needed. */
  readonly floor: number
}

export class SqliteRetention {
  readonly #retention: Retention
  readonly #oldest: StatementSync
  readonly #drop: StatementSync
  /** As committed. */
  #settled: Totals
  /** As in the transaction that is open. */
  #now: Totals

  constructor(db: DatabaseSync, retention: Retention) {
    this.#retention = retention
    this.#oldest = db.prepare(
      `SELECT place, ended, bytes, EXISTS (SELECT 1 FROM ties WHERE parent = id) needed
       FROM ended WHERE place > ? ORDER BY place LIMIT 1`,
    )
    this.#drop = db.prepare('DELETE FROM ended WHERE place = ?')
    const row = db
      .prepare('SELECT count(*) count, total(bytes) bytes, max(place) last FROM ended')
      .get() as Row
    const first = this.#oldestAfter(0)
    this.#settled = {
      count: Number(row.count),
      bytes: Number(row.bytes),
      last: Number(row.last ?? 0),
      oldestAt: endOf(first),
      floor: 0,
    }
    this.#now = this.#settled
  }

  get count(): number {
    return this.#settled.count
  }

  get bytes(): number {
    return this.#settled.bytes
  }

  nextPlace(): number {
    return this.#now.last + 1
  }

  add(bytes: number, endedAt: number): void {
    const { count, bytes: sum, last, oldestAt, floor } = this.#now
    const oldest = Math.min(oldestAt, endedAt)
    this.#now = {
      count: count + 1,
      bytes: sum + bytes,
      last: last + 1,
      oldestAt: oldest,
      floor,
    }
  }

  /** A child has ended: who it needed may go. */
  untied(): void {
    this.#now = { ...this.#now, floor: 0, oldestAt: endOf(this.#oldestAfter(0)) }
  }

  /** Forgets what is too much. To be called inside a transaction. */
  enforce(nowMs: number): void {
    for (let looked = 0; looked < MAX_LOOKED_AT && this.#isDue(nowMs); looked++) {
      const row = this.#oldestAfter(this.#now.floor)
      if (row === undefined) return this.#passOver(this.#now.last)
      const place = Number(row.place)
      if (row.needed === 1) this.#passOver(place)
      else {
        this.#drop.run(place)
        const { count, bytes } = this.#now
        this.#now = { ...this.#now, count: count - 1, bytes: bytes - Number(row.bytes) }
        this.#passOver(place)
      }
    }
  }

  committed(): void {
    this.#settled = this.#now
  }

  rolledBack(): void {
    this.#now = this.#settled
  }

  #isDue(nowMs: number): boolean {
    const { bytes, oldestAt, count } = this.#now
    const isOld = oldestAt < nowMs - this.#retention.age
    return count > 0 && (bytes > this.#retention.bytes || isOld)
  }

  #passOver(floor: number): void {
    this.#now = { ...this.#now, floor, oldestAt: endOf(this.#oldestAfter(floor)) }
  }

  #oldestAfter(place: number): Row | undefined {
    return this.#oldest.get(place) as Row | undefined
  }
}

function endOf(row: Row | undefined): number {
  return row === undefined ? Number.POSITIVE_INFINITY : Number(row.ended)
}
