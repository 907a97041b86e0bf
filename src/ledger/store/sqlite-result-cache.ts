/**
 * Cached results in the file of a durable store. The least recently used go first when there is no
 * more room; a use is written with the next commit, so that reading never waits for the disk.
 */
import { deserialize, serialize } from 'node:v8'
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { ResultCache } from '../results/result-cache.ts'
import type { StoreWriter } from './store-writer.ts'
import type { Row } from './sqlite-rows.ts'
import { SqliteTally } from './sqlite-tally.ts'

/** An entry costs this besides its key and its value. */
const ENTRY_BYTES = 256

export class SqliteResultCache implements ResultCache {
  readonly #writer: StoreWriter
  readonly #tally: SqliteTally
  readonly #maxBytes: number
  readonly #put: StatementSync
  readonly #one: StatementSync
  readonly #use: StatementSync
  readonly #drop: StatementSync
  readonly #dropOldest: StatementSync
  readonly #clear: StatementSync
  /** Orders the entries by their last use. */
  #uses: number

  constructor(db: DatabaseSync, writer: StoreWriter, maxBytes: number) {
    this.#writer = writer
    this.#tally = new SqliteTally(db, 'results')
    this.#maxBytes = maxBytes
    this.#put = db.prepare(
      'INSERT OR REPLACE INTO results (key, value, expires, used, bytes) VALUES (?, ?, ?, ?, ?)',
    )
    this.#one = db.prepare('SELECT value, expires FROM results WHERE key = ?')
    this.#use = db.prepare('UPDATE results SET used = ? WHERE key = ?')
    this.#drop = db.prepare('DELETE FROM results WHERE key = ? RETURNING bytes')
    this.#dropOldest = db.prepare(
      `DELETE FROM results WHERE key = (SELECT key FROM results ORDER BY used LIMIT 1)
       RETURNING bytes`,
    )
    this.#clear = db.prepare('DELETE FROM results')
    const { last } = db.prepare('SELECT max(used) last FROM results').get() as Row
    this.#uses = Number(last ?? 0)
  }

  get count(): number {
    return this.#tally.count
  }

  get bytes(): number {
    return this.#tally.bytes
  }

  /** What was counted may have been rolled back. */
  recount(): void {
    this.#tally.recount()
  }

  get(key: string, now: number): { readonly value: unknown } | null {
    const row = this.#one.get(key) as Row | undefined
    if (row === undefined) return null
    const expires = Number(row.expires)
    if (expires !== 0 && now >= expires) {
      this.#writer.later(() => this.#tally.removed(this.#drop.get(key)))
      return null
    }
    this.#writer.later(() => void this.#use.run(++this.#uses, key))
    return { value: deserialize(row.value as Uint8Array) }
  }

  put(key: string, value: unknown, expiresAt: number): void {
    const body = serialize(value)
    const bytes = body.byteLength + key.length + ENTRY_BYTES
    this.#writer.later(() => {
      this.#tally.removed(this.#drop.get(key))
      if (bytes > this.#maxBytes) return
      this.#put.run(key, body, expiresAt, ++this.#uses, bytes)
      this.#tally.added(bytes)
      while (this.bytes > this.#maxBytes) this.#tally.removed(this.#dropOldest.get())
    })
  }

  delete(key: string): boolean {
    const isThere = this.#one.get(key) !== undefined
    this.#writer.now(() => this.#tally.removed(this.#drop.get(key)))
    return isThere
  }

  clear(): void {
    this.#writer.now(() => {
      this.#clear.run()
      this.#tally.recount()
    })
  }
}
