/**
 * Whether a store has room for another task. Only new tasks are refused: those it has must be able
 * to start and to end, or a full store could never be emptied. It counts down between two looks at
 * the file.
 */
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { TroupeError } from '../../common/errors.ts'
import type { AcceptRow, Row } from './sqlite-rows.ts'

/** A row costs this besides its payload and its options. */
const ROW_BYTES = 256

export class SqliteRoom {
  readonly #path: string
  readonly #maxBytes: number
  readonly #pages: readonly StatementSync[]
  /** At least so much is left. */
  #leftBytes = 0

  constructor(db: DatabaseSync, path: string, maxBytes: number) {
    this.#path = path
    this.#maxBytes = maxBytes
    const names = ['page_size', 'page_count', 'freelist_count']
    this.#pages = names.map((name) => db.prepare(`PRAGMA ${name}`))
  }

  /** `pendingBytes`: promised, not yet in the file. @throws STORE_FULL */
  take(rows: readonly AcceptRow[], pendingBytes: number): number {
    let bytes = 0
    for (const row of rows) bytes += bytesOf(row)
    if (bytes > this.#leftBytes) this.#leftBytes = this.#maxBytes - this.#usedBytes() - pendingBytes
    if (bytes > this.#leftBytes) {
      const message = `the store ${this.#path} holds its limit of ${this.#maxBytes} bytes (store.maxBytes)`
      throw new TroupeError('STORE_FULL', message)
    }
    this.#leftBytes -= bytes
    return bytes
  }

  #usedBytes(): number {
    const [size = 0, pages = 0, free = 0] = this.#pages.map((statement) =>
      Number(Object.values(statement.get() as Row)[0]),
    )
    return size * (pages - free)
  }
}

function bytesOf([, , payload, options]: AcceptRow): number {
  return ROW_BYTES + payload.byteLength + (options?.byteLength ?? 0)
}
