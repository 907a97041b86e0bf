/**
 * The tables of a durable store, version by version. A file of an older version is brought up step
 * by step in one transaction; one of a newer version is left alone.
 */
import type { DatabaseSync } from 'node:sqlite'

/** `TRPE`: tells our files from other people's. */
export const APPLICATION_ID = 0x54525045

const V1 = `
CREATE TABLE tasks (
  seq INTEGER PRIMARY KEY, id TEXT NOT NULL, name TEXT NOT NULL, payload BLOB NOT NULL,
  options BLOB, submitted INTEGER NOT NULL
) STRICT;
CREATE TABLE starts (
  seq INTEGER PRIMARY KEY, attempt INTEGER NOT NULL, released INTEGER NOT NULL,
  kills INTEGER NOT NULL, running INTEGER NOT NULL, due INTEGER NOT NULL, error BLOB
) STRICT;
CREATE TABLE ended (
  place INTEGER PRIMARY KEY, id TEXT NOT NULL, name TEXT NOT NULL, payload BLOB NOT NULL,
  options BLOB, submitted INTEGER NOT NULL, state TEXT NOT NULL, attempt INTEGER NOT NULL,
  value BLOB, error BLOB, started INTEGER NOT NULL, ended INTEGER NOT NULL, worker TEXT
) STRICT;
`

/**
 * Retention by bytes, looking up by id, keys of successes (`until`), parents that are still needed
 * (`ties`), dead letters and cached results.
 */
const V2 = `
ALTER TABLE ended ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE ended ADD COLUMN until INTEGER NOT NULL DEFAULT 0;
UPDATE ended SET bytes = length(payload) + ifnull(length(value), 0) + ifnull(length(error), 0);
CREATE INDEX ended_by_id ON ended (id);
CREATE INDEX ended_by_until ON ended (until) WHERE until > 0;
CREATE TABLE ties (
  child INTEGER NOT NULL, parent TEXT NOT NULL, PRIMARY KEY (child, parent)
) STRICT, WITHOUT ROWID;
CREATE INDEX ties_by_parent ON ties (parent);
CREATE TABLE dead_letters (
  position INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, payload BLOB NOT NULL,
  letter BLOB NOT NULL, bytes INTEGER NOT NULL
) STRICT;
CREATE TABLE results (
  key TEXT PRIMARY KEY, value BLOB NOT NULL, expires INTEGER NOT NULL, used INTEGER NOT NULL,
  bytes INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX results_by_use ON results (used);
`

/** The n-th brings a file from version n to version n + 1. */
const MIGRATIONS: readonly string[] = [V1, V2]

export const SCHEMA_VERSION = MIGRATIONS.length

export function schemaVersion(db: DatabaseSync): number {
  return Number(db.prepare('PRAGMA user_version').get()?.user_version)
}

/** Brings the file to this version, all of it or nothing. */
export function migrate(db: DatabaseSync): void {
  const from = schemaVersion(db)
  if (from === SCHEMA_VERSION) return
  db.exec('BEGIN IMMEDIATE')
  for (const step of MIGRATIONS.slice(from)) db.exec(step)
  db.exec(`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${SCHEMA_VERSION}`)
  db.exec('COMMIT')
  // The file itself must say its version, so that it can be read without its log.
  db.exec('PRAGMA wal_checkpoint(TRUNCATE)')
}
