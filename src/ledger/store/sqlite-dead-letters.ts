/** Dead letters in the file of a durable store, with the limits of those in memory. */
import { deserialize, serialize } from 'node:v8'
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import {
  type DeadLetters,
  type LetterFilter,
  type LetterPage,
  MAX_DEAD_LETTER_BYTES,
  passes,
  type StoredLetter,
} from '../results/dead-letters.ts'
import { fromStoredOptions, toStoredOptions } from './stored-task.ts'
import type { StoreWriter } from './store-writer.ts'
import type { Row } from './sqlite-rows.ts'
import { SqliteTally } from './sqlite-tally.ts'

type Letter = Omit<StoredLetter, 'payload' | 'options'> & {
  readonly options: ReturnType<typeof toStoredOptions>
}

export class SqliteDeadLetters implements DeadLetters {
  readonly #writer: StoreWriter
  readonly #tally: SqliteTally
  readonly #max: number
  readonly #put: StatementSync
  readonly #one: StatementSync
  readonly #after: StatementSync
  readonly #drop: StatementSync
  readonly #dropOldest: StatementSync
  #dropped = 0

  constructor(db: DatabaseSync, writer: StoreWriter, max: number) {
    this.#writer = writer
    this.#tally = new SqliteTally(db, 'dead_letters')
    this.#max = max
    this.#put = db.prepare(
      `INSERT INTO dead_letters (position, id, payload, letter, bytes)
       VALUES ((SELECT ifnull(max(position), 0) + 1 FROM dead_letters), ?, ?, ?, ?)`,
    )
    this.#one = db.prepare('SELECT * FROM dead_letters WHERE id = ?')
    this.#after = db.prepare('SELECT * FROM dead_letters WHERE position > ? ORDER BY position')
    this.#drop = db.prepare('DELETE FROM dead_letters WHERE id = ? RETURNING bytes')
    this.#dropOldest = db.prepare(
      `DELETE FROM dead_letters WHERE position = (SELECT min(position) FROM dead_letters)
       RETURNING bytes`,
    )
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

  get dropped(): number {
    return this.#dropped
  }

  add({ payload, options, ...facts }: StoredLetter): void {
    const body = serialize(payload)
    const letter = serialize({ ...facts, options: toStoredOptions(options) } satisfies Letter)
    const bytes = body.byteLength + letter.byteLength
    this.#writer.later(() => {
      this.#tally.removed(this.#drop.get(facts.id))
      this.#put.run(facts.id, body, letter, bytes)
      this.#tally.added(bytes)
      this.#limit()
    })
  }

  get(id: string): StoredLetter | null {
    const row = this.#one.get(id) as Row | undefined
    return row === undefined ? null : letterOf(row)
  }

  list(filter: LetterFilter, after: number, limit: number): LetterPage {
    const letters: StoredLetter[] = []
    let next = after
    for (const row of this.#after.iterate(after) as Iterable<Row>) {
      if (!passes(filter, deserialize(row.letter as Uint8Array) as Letter)) continue
      if (letters.length === limit) return { letters, next }
      letters.push(letterOf(row))
      next = Number(row.position)
    }
    return { letters, next: null }
  }

  delete(id: string): boolean {
    const isThere = this.#one.get(id) !== undefined
    this.#writer.now(() => this.#tally.removed(this.#drop.get(id)))
    return isThere
  }

  #limit(): void {
    while (this.count > this.#max || this.bytes > MAX_DEAD_LETTER_BYTES) {
      this.#tally.removed(this.#dropOldest.get())
      this.#dropped++
    }
  }
}

function letterOf(row: Row): StoredLetter {
  const { options, ...facts } = deserialize(row.letter as Uint8Array) as Letter
  const payload: unknown = deserialize(row.payload as Uint8Array)
  return { ...facts, payload, options: fromStoredOptions(options) }
}
