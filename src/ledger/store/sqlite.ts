/**
 * A durable store in one SQLite file. A task is synced to the disk before it is acknowledged;
 * starts and ends are written with the next commit and outlive the process, but the last moments
 * may be lost with the machine's power: such a task runs again.
 */
import { serialize } from 'node:v8'
import type { DatabaseSync } from 'node:sqlite'
import { TroupeError } from '../../common/errors.ts'
import type { TaskRecord } from '../task/record.ts'
import type { Change, EndedTask, StoreClock, StoredTask, TaskStore } from './store.ts'
import type { SqliteSettings } from '../../config/store-schema.ts'
import type { StoreFacts } from '../../api/status.ts'
import { TaskCalendar } from './stored-task.ts'
import { backupTo } from './sqlite-backup.ts'
import { SqliteDeadLetters } from './sqlite-dead-letters.ts'
import { storeError } from './sqlite-errors.ts'
import { openStoreFile, type StoreFile } from './sqlite-file.ts'
import { SqliteResultCache } from './sqlite-result-cache.ts'
import { SqliteRetention } from './sqlite-retention.ts'
import { SqliteRoom } from './sqlite-room.ts'
import {
  type AcceptRow,
  acceptRow,
  endedOf,
  packedError,
  type Row,
  storedOf,
} from './sqlite-rows.ts'
import type { StoreWriter } from './store-writer.ts'
import type { StoreLoss } from './store-witness.ts'
import { prepareAll, type Statements } from './sqlite-statements.ts'

const NONE: ReadonlyMap<TaskRecord, AcceptRow> = new Map()

export class SqliteStore implements TaskStore {
  readonly deadLetters: SqliteDeadLetters
  readonly resultCache: SqliteResultCache
  noted: () => void = () => {}
  readonly #settings: SqliteSettings
  readonly #file: StoreFile
  readonly #db: DatabaseSync
  readonly #calendar: TaskCalendar
  readonly #room: SqliteRoom
  readonly #retention: SqliteRetention
  readonly #sql: Statements
  /** Accepted, not yet durable. */
  readonly #accepted = new Map<TaskRecord, AcceptRow>()
  readonly #changes = new Map<TaskRecord, Change>()
  #acceptedBytes = 0
  /** Why the last commit failed; null when it did not. */
  #trouble: TroupeError | null = null
  #loss: StoreLoss | null = null
  /** What else the next commit writes. */
  readonly #writes: Array<() => void> = []
  #nextSeq: number
  #unended: number
  #sync: 'FULL' | 'NORMAL' = 'FULL'

  /** @throws STORE_LOCKED, STORE_UNREADABLE, STORE_FAILED, STORE_FULL */
  constructor(settings: SqliteSettings, clock: StoreClock) {
    this.#settings = settings
    this.#calendar = new TaskCalendar(clock)
    this.#file = openStoreFile(settings.path)
    const { db } = this.#file
    this.#db = db
    this.#sql = prepareAll(db)
    const writer: StoreWriter = {
      now: (action) => this.#attempt(action),
      later: (action) => {
        this.#writes.push(action)
        this.noted()
      },
    }
    this.#room = new SqliteRoom(db, settings.path, settings.maxBytes)
    this.#retention = new SqliteRetention(db, settings.retention)
    this.deadLetters = new SqliteDeadLetters(db, writer, settings.maxDeadLetters)
    this.resultCache = new SqliteResultCache(db, writer, settings.maxCacheBytes)
    const tasks = db.prepare('SELECT count(*) count, max(seq) last FROM tasks').get() as Row
    this.#nextSeq = Number(tasks.last ?? 0) + 1
    this.#unended = Number(tasks.count)
  }

  get facts(): StoreFacts {
    const { count, bytes } = this.#retention
    return { unended: this.#unended + this.#accepted.size, ended: count, endedBytes: bytes }
  }

  get isAccepting(): boolean {
    return this.#accepted.size > 0
  }

  get isGone(): boolean {
    return this.#loss?.kind === 'gone'
  }

  check(): TroupeError | null {
    this.#loss ??= this.#file.loss()
    return this.#loss?.error ?? null
  }

  backup(path: string): Promise<void> {
    return backupTo(this.#db, path)
  }

  accept(records: readonly TaskRecord[]): void {
    if (this.#loss !== null) throw this.#loss.error
    const rows = records.map((record) =>
      acceptRow(record, this.#calendar.wall(record.submittedAtMs)),
    )
    const isBatched = this.#settings.durability === 'batched'
    if (isBatched && this.#trouble !== null) throw this.#trouble
    const bytes = this.#room.take(rows, this.#acceptedBytes)
    for (const record of records) record.seq = this.#nextSeq++
    if (isBatched) {
      this.#acceptedBytes += bytes
      for (const [at, record] of records.entries())
        this.#accepted.set(record, rows[at] as AcceptRow)
      return
    }
    this.#attempt(() => {
      this.#syncBy('FULL')
      const [first] = records
      // One statement is a transaction of its own.
      if (records.length === 1 && first?.options.dependsOn === undefined) {
        return this.#insert(first as TaskRecord, rows[0] as AcceptRow)
      }
      this.#sql.begin.run()
      for (const [at, record] of records.entries()) this.#insert(record, rows[at] as AcceptRow)
      this.#sql.commit.run()
    })
    this.#unended += records.length
  }

  change(record: TaskRecord, change: Change): void {
    this.#changes.set(record, change)
  }

  commit(what: 'all' | 'changes' = 'all'): void {
    const accepted = what === 'all' ? this.#accepted : NONE
    const changes = this.#settledChanges(what)
    if (accepted.size + changes.size + this.#writes.length === 0) return
    // Whoever has taken it runs its tasks: none is to start or end here.
    if (this.#loss?.kind === 'taken') throw this.#loss.error
    this.#attempt(() => {
      this.#syncBy(accepted.size > 0 ? 'FULL' : 'NORMAL')
      this.#sql.begin.run()
      for (const [record, row] of accepted) this.#insert(record, row)
      for (const [record, change] of changes) this.#put(record, change)
      for (const write of this.#writes) write()
      this.#retention.enforce(this.#calendar.now)
      this.#sql.commit.run()
    })
    this.#settle(accepted.size, changes)
  }

  *unended(): Iterable<StoredTask> {
    for (const row of this.#sql.unended.iterate()) yield storedOf(row as Row)
  }

  find(id: string): EndedTask | null {
    const row = this.#sql.find.get(id) as Row | undefined
    if (row === undefined) return null
    const isKept = Number(row.ended) >= this.#calendar.now - this.#settings.retention.age
    return isKept ? endedOf(row) : null
  }

  *remembered(): Iterable<EndedTask> {
    const { now } = this.#calendar
    for (const row of this.#sql.remembered.iterate(now)) yield endedOf(row as Row)
  }

  close(): void {
    this.#file.close()
  }

  #insert(record: TaskRecord, row: AcceptRow): void {
    this.#sql.accept.run(record.seq, ...row)
    for (const parent of record.options.dependsOn ?? []) this.#sql.tie.run(record.seq, parent)
  }

  #put(record: TaskRecord, change: Change): void {
    if (change === 'ended') return this.#end(record)
    const facts = this.#calendar.changed(record, change)
    const { attempt, released, kills, isRunning, dueAt, error } = facts
    const running = isRunning ? 1 : 0
    this.#sql.start.run(record.seq, attempt, released, kills, running, dueAt, packedError(error))
  }

  #end(record: TaskRecord): void {
    const { seq } = record
    const ended = this.#calendar.ended(record)
    const { state, attempt, startedAt, endedAt, worker } = ended
    const value = state === 'succeeded' ? serialize(ended.value) : null
    const error = packedError(ended.error)
    const bytes = (value?.byteLength ?? 0) + (error?.byteLength ?? 0)
    const place = this.#retention.nextPlace()
    const times = [startedAt, endedAt, worker, untilOf(ended), bytes, seq] as const
    this.#sql.end.run(place, state, attempt, value, error, ...times)
    const dropped = this.#sql.drop.get(seq) as Row | undefined
    if (attempt > 0) this.#sql.dropStart.run(seq)
    if (ended.options.dependsOn !== undefined) {
      this.#sql.untie.run(seq)
      this.#retention.untied()
    }
    this.#retention.add(bytes + Number(dropped?.bytes ?? 0), endedAt)
  }

  /** Those that can be written: of tasks that lie in the file, or will with this commit. */
  #settledChanges(what: 'all' | 'changes'): ReadonlyMap<TaskRecord, Change> {
    if (what === 'all' || this.#accepted.size === 0) return this.#changes
    return new Map([...this.#changes].filter(([record]) => !this.#accepted.has(record)))
  }

  #settle(accepted: number, changes: ReadonlyMap<TaskRecord, Change>): void {
    this.#unended += accepted
    for (const [record, change] of changes) {
      if (change === 'ended') this.#unended--
      this.#changes.delete(record)
    }
    if (accepted > 0) this.#accepted.clear()
    if (accepted > 0) this.#acceptedBytes = 0
    this.#writes.length = 0
    this.#trouble = null
    this.#retention.committed()
  }

  /** Outside of a transaction only: SQLite does not heed it inside. */
  #syncBy(sync: 'FULL' | 'NORMAL'): void {
    if (this.#sync === sync) return
    this.#db.exec(`PRAGMA synchronous = ${sync}`)
    this.#sync = sync
  }

  #attempt(action: () => void): void {
    try {
      action()
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK')
      this.#retention.rolledBack()
      this.deadLetters.recount()
      this.resultCache.recount()
      this.#trouble = error instanceof TroupeError ? error : storeError(this.#settings.path, error)
      throw this.#trouble
    }
  }
}

/** Until when its key keeps others from running, in ms since 1970; 0 for none. */
function untilOf({ state, options: { deduplication }, endedAt }: EndedTask): number {
  return state === 'succeeded' && deduplication !== undefined && deduplication.ttl > 0
    ? endedAt + deduplication.ttl
    : 0
}
