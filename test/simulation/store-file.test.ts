/** The file of a durable store: whose it is, which version, what becomes of a bad one and a full one. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { isTroupeError } from '../../src/common/errors.ts'
import { TaskRecord } from '../../src/ledger/task/record.ts'
import { SqliteStore } from '../../src/ledger/store/sqlite.ts'
import { SCHEMA_VERSION } from '../../src/ledger/store/sqlite-schema.ts'
import { DEFAULT_TASK_OPTIONS } from '../../src/config/task-options.ts'
import { buildStoreV1, V1_EPOCH_MS } from '../fixtures/store-v1.ts'
import { sqliteSettings, StoreTime, type StoreSettings } from '../support/store-bench.ts'

const DAY_MS = 86_400_000
let folder = ''
let path = ''

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'troupe-store-'))
  path = join(folder, 'pool.db')
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

function open(settings: StoreSettings = {}): SqliteStore {
  return new SqliteStore(sqliteSettings(path, settings), new StoreTime())
}

function recordOf(id: string, payload: unknown = null): TaskRecord {
  return new TaskRecord(id, 'noop', payload, DEFAULT_TASK_OPTIONS, 0)
}

/** The code of what `action` throws. */
function codeOf(action: () => unknown): string {
  try {
    action()
  } catch (error) {
    return isTroupeError(error) ? error.code : `not ours: ${String(error)}`
  }
  return 'nothing'
}

function bytesOf(...parts: string[]): Buffer[] {
  return parts.map((part) => readFileSync(path + part))
}

describe('the file of a store', () => {
  it('belongs to one owner, in this process and in others', () => {
    const store = open()
    expect(codeOf(open)).toBe('STORE_LOCKED')
    // Reading the file closes it again; the lock must survive that.
    readFileSync(path)
    const script = `
      import { DatabaseSync } from 'node:sqlite'
      try { new DatabaseSync(${JSON.stringify(`${path}-lock`)}).exec('BEGIN EXCLUSIVE'); console.log('taken') }
      catch (error) { console.log(error.errcode) }`
    const other = spawnSync(process.execPath, ['--input-type=module', '-e', script])
    expect(other.stdout.toString().trim()).toBe('5')
    store.close()
    open().close()
  })

  it('is given up by a process that is killed', () => {
    const script = `
      import { SqliteStore } from ${JSON.stringify(new URL('../../src/ledger/store/sqlite.ts', import.meta.url).href)}
      new SqliteStore(${JSON.stringify(sqliteSettings(path))}, { nowMs: () => 0, wallMs: () => 1 })
      process.kill(process.pid, 'SIGKILL')`
    const dead = spawnSync(process.execPath, ['--input-type=module', '-e', script])
    expect(dead.signal).toBe('SIGKILL')
    open().close()
  })

  it.each([
    ['no SQLite file', () => writeFileSync(path, 'these are my notes\n'.repeat(20))],
    ['shorter than a header', () => writeFileSync(path, 'SQLite')],
    [
      'of another program',
      () => {
        const db = new DatabaseSync(path)
        db.exec('CREATE TABLE theirs (x); INSERT INTO theirs VALUES (1)')
        db.close()
      },
    ],
    [
      'of a newer Troupe',
      () => {
        open().close()
        const db = new DatabaseSync(path)
        db.exec(`PRAGMA user_version = ${SCHEMA_VERSION + 1}`)
        db.close()
      },
    ],
    [
      'corrupt',
      () => {
        const store = open()
        store.accept(Array.from({ length: 200 }, (_, at) => recordOf(`t${at}`, 'x'.repeat(500))))
        store.close()
        const bytes = readFileSync(path)
        bytes.fill(0xa5, 4_096 + 8, bytes.length - 512)
        writeFileSync(path, bytes)
      },
    ],
  ])('is left as it is when it is %s', (_, make) => {
    make()
    const before = bytesOf('')
    expect(codeOf(open)).toBe('STORE_UNREADABLE')
    expect(bytesOf('')).toEqual(before)
    expect(codeOf(open)).toBe('STORE_UNREADABLE')
  })

  it('leaves the log of a killed pool as it is, too, when it must not be read', () => {
    const script = `
      import { SqliteStore } from ${JSON.stringify(new URL('../../src/ledger/store/sqlite.ts', import.meta.url).href)}
      import { DatabaseSync } from 'node:sqlite'
      new SqliteStore(${JSON.stringify(sqliteSettings(path))}, { nowMs: () => 0, wallMs: () => 1 }).close()
      const db = new DatabaseSync(${JSON.stringify(path)})
      db.exec('PRAGMA user_version = ${SCHEMA_VERSION + 1}')
      process.kill(process.pid, 'SIGKILL')`
    expect(spawnSync(process.execPath, ['--input-type=module', '-e', script]).signal).toBe(
      'SIGKILL',
    )
    const before = bytesOf('', '-wal')
    expect(codeOf(open)).toBe('STORE_UNREADABLE')
    expect(bytesOf('', '-wal')).toEqual(before)
  })

  it("is this user's alone, and leaves nothing but itself and its lock", () => {
    const store = open()
    store.accept([recordOf('secret')])
    const names = readdirSync(folder)
    expect(names.map((name) => statSync(join(folder, name)).mode & 0o777)).toEqual(
      names.map(() => 0o600),
    )
    expect(names).toEqual(['pool.db', 'pool.db-claim', 'pool.db-lock', 'pool.db-wal'])
    store.close()
    open().close()
    expect(readdirSync(folder)).toEqual(['pool.db', 'pool.db-lock'])
  })

  it('is opened also when its pool was killed while it was made', () => {
    const db = new DatabaseSync(path)
    db.exec('PRAGMA journal_mode = WAL')
    db.close()
    open().close()
    expect(new DatabaseSync(path).prepare('PRAGMA user_version').get()).toEqual({
      user_version: SCHEMA_VERSION,
    })
  })

  it('is read with the log of a pool that was killed before anything else was written', () => {
    const script = `
      import { buildStoreV1 } from ${JSON.stringify(new URL('../fixtures/store-v1.ts', import.meta.url).href)}
      buildStoreV1(${JSON.stringify(path)}, 'left open')
      process.kill(process.pid, 'SIGKILL')`
    expect(spawnSync(process.execPath, ['--input-type=module', '-e', script]).signal).toBe(
      'SIGKILL',
    )
    const store = open()
    expect([...store.unended()].map(({ id }) => id)).toEqual(['v1-waits', 'v1-ran'])
    store.close()
  })

  it('cannot be made where there is no folder', () => {
    path = join(folder, 'nowhere', 'pool.db')
    expect(codeOf(open)).toBe('STORE_FAILED')
  })

  it('comes from the first version with all that was in it', () => {
    buildStoreV1(path)
    const clock = new StoreTime()
    clock.wallMs = () => V1_EPOCH_MS + DAY_MS
    const store = new SqliteStore(sqliteSettings(path), clock)
    const [waits, ran] = [...store.unended()]
    expect(waits).toMatchObject({ id: 'v1-waits', payload: { n: 1 }, isRunning: false })
    expect(waits?.options).toEqual({ ...DEFAULT_TASK_OPTIONS, priority: 3 })
    expect(ran).toMatchObject({ id: 'v1-ran', isRunning: true, attempt: 1 })
    expect(ran?.payload).toEqual(new Map([['n', 2]]))
    expect(store.find('v1-done')).toMatchObject({ value: 'out', worker: 'worker-1', attempt: 1 })
    expect(store.facts.endedBytes).toBeGreaterThan(0)
    store.accept([recordOf('new')])
    store.close()
    const again = new SqliteStore(sqliteSettings(path), clock)
    expect([...again.unended()].map(({ id }) => id)).toEqual(['v1-waits', 'v1-ran', 'new'])
    again.close()
  })

  it.each(['each', 'batched'] as const)(
    'refuses what does not fit any more, and goes on when there is room (%s)',
    (durability) => {
      const store = open({ durability, maxBytes: 300_000, retention: { bytes: 0 } })
      const payload = 'x'.repeat(20_000)
      const accepted: TaskRecord[] = []
      const code = codeOf(() => {
        for (let at = 0; at < 100; at++) {
          const record = recordOf(`t${at}`, payload)
          store.accept([record])
          accepted.push(record)
        }
      })
      expect(code).toBe('STORE_FULL')
      store.commit()
      expect([...store.unended()].map(({ id }) => id)).toEqual(accepted.map(({ id }) => id))
      for (const record of accepted) {
        record.state = 'succeeded'
        store.change(record, 'ended')
      }
      store.commit()
      store.accept([recordOf('later', payload)])
      store.commit()
      expect([...store.unended()].map(({ id }) => id)).toEqual(['later'])
      store.close()
    },
  )

  it('writes all that an event changed, or nothing of it', () => {
    const store = open()
    const [small, large] = [recordOf('small'), recordOf('large')]
    store.accept([small, large])
    for (const record of [small, large]) {
      record.attempt = 1
      record.state = 'succeeded'
      store.change(record, 'ended')
    }
    large.value = () => 'cannot be kept'
    expect(codeOf(() => store.commit())).toBe('STORE_FAILED')
    expect(store.find('small')).toBeNull()
    expect(store.facts).toMatchObject({ unended: 2, ended: 0 })
    large.value = 'y'
    store.commit()
    expect(store.facts).toMatchObject({ unended: 0, ended: 2 })
    expect(store.find('large')?.value).toBe('y')
    store.close()
  })

  it('refuses what cannot be kept', () => {
    const store = open()
    const options = { ...DEFAULT_TASK_OPTIONS, metadata: { how: () => 1 } }
    const record = new TaskRecord('t', 'noop', null, options, 0)
    expect(codeOf(() => store.accept([record]))).toBe('PAYLOAD_INVALID')
    expect([...store.unended()]).toEqual([])
    store.close()
  })
})
