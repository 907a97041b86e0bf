/**
 * Opens the durable store with a pool's run and closes it when the run has left the machine; in
 * between it has the store look after its file. Between two runs there is none: then nothing is
 * kept, and nothing is found. It never looks into a store.
 */
import { TroupeError } from '../common/errors.ts'
import type { CommitGate } from '../ledger/store/commit-gate.ts'
import type { TaskRecord } from '../ledger/task/record.ts'
import type { PoolConfig } from '../config/parse.ts'
import { refuse } from '../common/checks.ts'
import { type DeadLetters, MemoryDeadLetters } from '../ledger/results/dead-letters.ts'
import { MemoryResultCache, type ResultCache } from '../ledger/results/result-cache.ts'
import { STORE_LOOK_MS, type TaskStore } from '../ledger/store/store.ts'
import { watchStore } from './observe/alarms.ts'
import type { PoolAlerts } from './observe/alerts.ts'
import type { EventReporter } from './observe/event-reporter.ts'
import type { Router } from './router.ts'
import type { World } from './host/world.ts'

/** What it needs of its pool. */
interface StorePool {
  readonly config: PoolConfig
  readonly world: World
  readonly alerts: PoolAlerts
  readonly reporter: EventReporter
  readonly router: Router
}

export class StoreLifecycle {
  readonly deadLetters: DeadLetters
  readonly resultCache: ResultCache
  readonly #config: PoolConfig
  readonly #world: World
  readonly #pool: StorePool
  #store: TaskStore | null = null
  /** Takes back the next look at the file. */
  #look: (() => void) | null = null
  /** Openings so far: a close that was asked for before the last of them is void. */
  #openings = 0

  constructor(pool: StorePool) {
    const { config, world } = pool
    this.#pool = pool
    this.#config = config
    this.#world = world
    const letters = new MemoryDeadLetters(config.deadLetters.max)
    const results = new MemoryResultCache(config.resultCache.maxBytes)
    const isKept = config.store !== null
    this.deadLetters = isKept ? lettersOf(() => this.#store?.deadLetters ?? letters) : letters
    this.resultCache = isKept ? resultsOf(() => this.#store?.resultCache ?? results) : results
  }

  /**
   * At once, so that what is submitted next is durable.
   *
   * @throws STORE_LOCKED, STORE_UNREADABLE, STORE_FAILED, STORE_FULL
   */
  open(): void {
    this.#openings++
    if (this.#config.store !== null && this.#store === null) {
      this.#store = this.#world.openStore(this.#config)
      watchStore(this.#pool.alerts, this.#pool.reporter, null)
    }
    if (this.#store === null) return
    this.#lookAfter(this.#store)
    this.#pool.router.send('host', 'ledger', { type: 'store.opened', store: this.#store })
  }

  /** @throws STATE_INVALID without a store that is open; CONFIG_INVALID, STORE_FULL, STORE_FAILED */
  async backup(path: string): Promise<void> {
    if (typeof path !== 'string' || path === '') refuse('path', 'must be the path of a file', path)
    const store = this.#store
    if (store?.backup !== undefined) return store.backup(path)
    throw new TroupeError('STATE_INVALID', 'a backup needs a pool with a store that was started')
  }

  #lookAfter(store: TaskStore): void {
    this.#look?.()
    this.#look = null
    if (store.check === undefined) return
    this.#look = this.#world.clock.after(STORE_LOOK_MS, () => {
      if (store !== this.#store) return
      const error = store.check?.() ?? null
      if (error === null) this.#lookAfter(store)
      else watchStore(this.#pool.alerts, this.#pool.reporter, error)
    })
  }

  /** The actor was stopped: its ledger closes the store itself. */
  forget(): void {
    this.#look?.()
    this.#store = null
  }

  /** Once `gone` resolves, unless it was opened again meanwhile. */
  async closeAfter(gone: Promise<void>): Promise<void> {
    const openings = this.#openings
    await gone
    if (openings !== this.#openings || this.#store === null) return
    this.#look?.()
    this.#pool.router.send('host', 'ledger', { type: 'store.closed' })
    this.#store = null
  }
}

/**
 * Resolves when the task is on the disk; at once without a store. @throws STORE_FAILED when it will
 * not be.
 */
export function whenStored(gate: CommitGate | null, record: TaskRecord): Promise<void> {
  if (gate === null) return Promise.resolve()
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  gate.whenStored(record, (isStored) => {
    if (isStored) resolve()
    else
      reject(new TroupeError('STORE_FAILED', `the task ${record.id} was not written to the store`))
  })
  return promise
}

function lettersOf(now: () => DeadLetters): DeadLetters {
  return {
    get count() {
      return now().count
    },
    get bytes() {
      return now().bytes
    },
    get dropped() {
      return now().dropped
    },
    add: (letter) => now().add(letter),
    get: (id) => now().get(id),
    list: (filter, after, limit) => now().list(filter, after, limit),
    delete: (id) => now().delete(id),
  }
}

function resultsOf(now: () => ResultCache): ResultCache {
  return {
    get count() {
      return now().count
    },
    get bytes() {
      return now().bytes
    },
    get: (key, atMs) => now().get(key, atMs),
    put: (key, value, expiresAt) => now().put(key, value, expiresAt),
    delete: (key) => now().delete(key),
    clear: () => now().clear(),
  }
}
