/** The statements a durable store lives by, prepared once. */
import type { DatabaseSync, StatementSync } from 'node:sqlite'

export interface Statements {
  readonly begin: StatementSync
  readonly commit: StatementSync
  readonly accept: StatementSync
  readonly start: StatementSync
  /** Moves a task to the ended ones; its payload never leaves the file. */
  readonly end: StatementSync
  /** Gives back the bytes of its payload. */
  readonly drop: StatementSync
  readonly dropStart: StatementSync
  /** A child needs how its parent ended. */
  readonly tie: StatementSync
  readonly untie: StatementSync
  readonly unended: StatementSync
  readonly find: StatementSync
  readonly remembered: StatementSync
}

export function prepareAll(db: DatabaseSync): Statements {
  return {
    begin: db.prepare('BEGIN IMMEDIATE'),
    commit: db.prepare('COMMIT'),
    accept: db.prepare(
      'INSERT INTO tasks (seq, id, name, payload, options, submitted) VALUES (?, ?, ?, ?, ?, ?)',
    ),
    start: db.prepare(
      `INSERT OR REPLACE INTO starts (seq, attempt, released, kills, running, due, error)
       VALUES (?, ?, ?, ?, ?, ?, ?)`,
    ),
    end: db.prepare(
      `INSERT INTO ended (place, state, attempt, value, error, started, ended, worker, until,
         bytes, id, name, payload, options, submitted)
       SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, ? + length(payload), id, name, payload, options, submitted
       FROM tasks WHERE seq = ?`,
    ),
    drop: db.prepare('DELETE FROM tasks WHERE seq = ? RETURNING length(payload) AS bytes'),
    dropStart: db.prepare('DELETE FROM starts WHERE seq = ?'),
    tie: db.prepare('INSERT OR IGNORE INTO ties (child, parent) VALUES (?, ?)'),
    untie: db.prepare('DELETE FROM ties WHERE child = ?'),
    unended: db.prepare('SELECT * FROM tasks LEFT JOIN starts USING (seq) ORDER BY seq'),
    find: db.prepare('SELECT * FROM ended WHERE id = ? ORDER BY place DESC LIMIT 1'),
    remembered: db.prepare('SELECT * FROM ended WHERE until > ? ORDER BY place'),
  }
}
