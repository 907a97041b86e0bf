/**
 * Opens the durable store with a pool's run and closes it when the run has left the machine. Between
 * two runs there is none: then nothing is kept, and nothing is found. It never looks into a store.
 */
import { TroupeError } from '../errors.ts'
import type { Books } from '../ledger/books.ts'
import type { TaskRecord } from '../ledger/record.ts'
import type { PoolConfig } from '../config.ts'
import type { DeadLetters } from '../ledger/dead-letters.ts'
import { MemoryDeadLetters } from '../ledger/dead-letters.ts'
import type { StoreEvent } from '../ledger/events.ts'
import { MemoryResultCache, type ResultCache } from '../ledger/result-cache.ts'
import type { TaskStore } from '../ledger/store.ts'
import type { World } from './world.ts'

export class StoreKeeper {
  readonly deadLetters: DeadLetters
  readonly resultCache: ResultCache
  readonly #config: PoolConfig
  readonly #world: World
  readonly #tell: (event: StoreEvent) => void
  #store: TaskStore | null = null
  /** Openings so far: a close that was asked for before the last of them is void. */
  #openings = 0

  constructor(config: PoolConfig, world: World, tell: (event: StoreEvent) => void) {
    this.#tell = tell
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
    if (this.#config.store !== null) this.#store ??= this.#world.openStore(this.#config)
    if (this.#store !== null) this.#tell({ type: 'store.opened', store: this.#store })
  }

  /** The actor was stopped: its ledger closes the store itself. */
  forget(): void {
    this.#store = null
  }

  /** Once `gone` resolves, unless it was opened again meanwhile. */
  async closeAfter(gone: Promise<void>): Promise<void> {
    const openings = this.#openings
    await gone
    if (openings !== this.#openings || this.#store === null) return
    this.#tell({ type: 'store.closed' })
    this.#store = null
  }
}

/**
 * Resolves when the task is on the disk; at once without a store. @throws STORE_FAILED when it will
 * not be.
 */
export function whenStored(books: Books | null, record: TaskRecord): Promise<void> {
  if (books === null) return Promise.resolve()
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  books.whenStored(record, (isStored) => {
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
