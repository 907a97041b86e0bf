/**
 * A store of each kind to be tested, on a clock of its own, and the crash that each must stand: what
 * is left of a file is copied as it lies there, as after `kill -9`.
 */
import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type StoreClock, type TaskStore } from '../../src/ledger/store/store.ts'
import { type Retention, type SqliteSettings } from '../../src/config/store-schema.ts'
import { DEFAULT_RETENTION, DEFAULT_STORE_BYTES } from '../../src/common/limits.ts'
import { MemoryDisk, MemoryStore } from '../../src/ledger/store/memory.ts'
import { SqliteStore } from '../../src/ledger/store/sqlite.ts'

export const EPOCH_MS = 1_700_000_000_000

/** Where there is a disk of memory: thousands of stores need not wait for a real one. */
const ROOT = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()

export interface StoreSettings {
  readonly durability?: 'each' | 'batched'
  readonly retention?: Partial<Retention>
  readonly maxBytes?: number
}

/** Opens stores on the same ground again and again. */
export interface Ground extends Disposable {
  readonly clock: StoreClock & { ms: number }
  open(settings?: StoreSettings): TaskStore
  /** As if the process had been killed: what was not durable is gone. The old store is of no use. */
  crash(store: TaskStore, settings?: StoreSettings): TaskStore
}

export class StoreTime implements StoreClock {
  ms = 0
  nowMs = (): number => this.ms
  wallMs = (): number => EPOCH_MS + this.ms
}

export function memoryGround(): Ground {
  const clock = new StoreTime()
  const disk = new MemoryDisk()
  const open = ({ durability = 'each', retention = {} }: StoreSettings = {}) =>
    new MemoryStore(clock, disk, { durability, retention: { ...DEFAULT_RETENTION, ...retention } })
  return { clock, open, crash: (_, settings) => open(settings), [Symbol.dispose]: () => {} }
}

export function sqliteGround(clock: StoreClock & { ms: number } = new StoreTime()): Ground {
  const folder = mkdtempSync(join(ROOT, 'troupe-store-'))
  const stores = new Set<TaskStore>()
  let generation = 0
  const pathOf = (at: number) => join(folder, `pool-${at}.db`)
  const open = (settings: StoreSettings = {}) => {
    const store = new SqliteStore(sqliteSettings(pathOf(generation), settings), clock)
    stores.add(store)
    return store
  }
  const close = (store: TaskStore) => {
    if (stores.delete(store)) store.close()
  }
  return {
    clock,
    open,
    crash: (store, settings) => {
      for (const part of ['', '-wal']) {
        const from = pathOf(generation) + part
        if (existsSync(from)) copyFileSync(from, pathOf(generation + 1) + part)
      }
      close(store)
      for (const part of ['', '-wal', '-lock']) rmSync(pathOf(generation) + part, { force: true })
      generation++
      return open(settings)
    },
    [Symbol.dispose]: () => {
      for (const store of stores) close(store)
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

export function sqliteSettings(path: string, settings: StoreSettings = {}): SqliteSettings {
  return {
    path,
    durability: settings.durability ?? 'each',
    retention: { ...DEFAULT_RETENTION, ...settings.retention },
    maxBytes: settings.maxBytes ?? DEFAULT_STORE_BYTES,
    maxDeadLetters: 100,
    maxCacheBytes: 1_000_000,
  }
}
