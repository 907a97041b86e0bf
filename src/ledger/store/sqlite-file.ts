/**
 * Opens the file of a durable store: claims it, looks at it without touching it, then opens it for
 * good. A file that is not ours, not whole or of a newer version stays as it is.
 */
import { closeSync, existsSync, fstatSync, openSync, readSync, rmSync } from 'node:fs'
import type { DatabaseSync } from 'node:sqlite'
import { TroupeError } from '../../common/errors.ts'
import { realPathOf, type StoreLoss, StoreWitness } from './store-witness.ts'
import { type StoreClaim, takeClaim } from './store-claim.ts'
import { isBusy, isUnreadable, storeError, unreadable } from './sqlite-errors.ts'
import { APPLICATION_ID, migrate, SCHEMA_VERSION, schemaVersion } from './sqlite-schema.ts'

/** Pages in the log before they are moved to the file: 8 MiB. */
const CHECKPOINT_PAGES = 2_000
const HEADER_BYTES = 100
const MAGIC = 'SQLite format 3\0'

export interface StoreFile {
  readonly db: DatabaseSync
  /** Why the store is not the one that was opened any more; null while it is. */
  loss(): StoreLoss | null
  close(): void
}

/** @throws STORE_LOCKED, STORE_UNREADABLE, STORE_FAILED, STORE_FULL */
export function openStoreFile(given: string): StoreFile {
  // Asked for only here: a pool without a store never loads SQLite.
  const { DatabaseSync: Database } = process.getBuiltinModule('node:sqlite')
  // One file, one claim, whatever it is reached by.
  const path = realPathOf(given)
  const closings: Array<() => void> = []
  const close = () => {
    for (const closeOne of closings.splice(0).toReversed()) closeOne()
  }
  try {
    // The kernel's lock comes first, and in a file of its own: whoever closes a file of this process,
    // if only after reading it, would release the kernel's locks on it.
    makeOwn(`${path}-lock`)
    const lock = new Database(`${path}-lock`)
    closings.push(() => lock.close())
    lock.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE')
    const claim = requireClaim(path)
    closings.push(() => claim.release())
    if (!isNew(path)) inspect(() => new Database(path, { readOnly: true }), path)
    makeOwn(path)
    const db = new Database(path)
    closings.push(() => db.close())
    prepare(db)
    migrate(db)
    const witness = new StoreWitness(path, claim)
    return { db, loss: () => witness.loss(), close }
  } catch (error) {
    close()
    if (error instanceof TroupeError) throw error
    if (isBusy(error)) throw locked(path, error)
    throw storeError(path, error)
  }
}

function requireClaim(path: string): StoreClaim {
  const claim = takeClaim(`${path}-claim`)
  if (claim === 'locked') throw locked(path)
  if (claim === 'strange') throw unreadable(path, `${path}-claim is no claim of Troupe's`)
  return claim
}

function prepare(db: DatabaseSync): void {
  // In exclusive mode the log's index needs no shared memory, and nobody can come between.
  db.exec(`
    PRAGMA locking_mode = EXCLUSIVE;
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES};
    PRAGMA temp_store = MEMORY;
  `)
}

/** For this user's eyes only: payloads may be secret. A file that is there stays as it is. */
function makeOwn(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
}

/** Reads the first bytes as a plain file: SQLite is not asked about what it could only complain of. */
function isNew(path: string): boolean {
  let file: number
  try {
    file = openSync(path, 'r')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return true
    throw error
  }
  try {
    const facts = fstatSync(file)
    if (!facts.isFile()) throw unreadable(path, 'it is not a file')
    if (facts.nlink > 1) {
      const why = `it has ${facts.nlink} names (hard links), and its log and its claim lie beside one only`
      throw unreadable(path, `${why}; copy it, and use the copy`)
    }
    const header = Buffer.alloc(HEADER_BYTES)
    const bytes = readSync(file, header, 0, HEADER_BYTES, 0)
    if (bytes === 0) return true
    const isSqlite = bytes === HEADER_BYTES && header.toString('latin1', 0, 16) === MAGIC
    if (!isSqlite) throw unreadable(path, 'it is not an SQLite file')
    return false
  } finally {
    closeSync(file)
  }
}

/** Looks through the whole file with a connection that cannot write. */
function inspect(open: () => DatabaseSync, path: string): void {
  const hadIndex = existsSync(`${path}-shm`)
  const db = open()
  try {
    requireOurs(db, path)
    const version = schemaVersion(db)
    if (version > SCHEMA_VERSION) {
      const versions = `version ${version}, this Troupe knows ${SCHEMA_VERSION}`
      throw unreadable(path, `it was written by a newer Troupe (${versions}); use that one`)
    }
    const found = Object.values(db.prepare('PRAGMA quick_check(1)').get() ?? {})[0]
    if (found !== 'ok') throw unreadable(path, `it is corrupt (${String(found)})`)
  } catch (error) {
    if (isUnreadable(error)) throw unreadable(path, 'it is corrupt', error)
    throw error
  } finally {
    db.close()
    // The index of its log, which a connection that cannot write leaves behind. One that was there
    // may be in use by whoever has the file open.
    if (!hadIndex) rmSync(`${path}-shm`, { force: true })
  }
}

/** A file without a table may be what was left of one of ours at its very birth. */
function requireOurs(db: DatabaseSync, path: string): void {
  const id = db.prepare('PRAGMA application_id').get()?.application_id
  if (id === APPLICATION_ID) return
  const tables = db.prepare('SELECT count(*) AS count FROM sqlite_schema').get()?.count
  if (id === 0 && tables === 0) return
  throw unreadable(path, 'it is an SQLite file, but not a store of Troupe')
}

function locked(path: string, cause?: unknown): TroupeError {
  const message = `the store ${path} belongs to another pool that is running: one pool per file`
  return new TroupeError('STORE_LOCKED', message, cause === undefined ? {} : { cause })
}
