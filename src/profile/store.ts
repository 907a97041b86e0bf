/**
 * The profiles of one pool, in its run folder. Every incarnation of a worker gets a fresh clone of
 * the pool's own sealed copy of its base; the next clone is made ahead while the worker works. A
 * profile is deleted after the confirmed end of its browser, which is the caller's to confirm.
 */
import { mkdir } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { TroupeError } from '../common/errors.ts'
import { assertRoom } from '../monitor/disk.ts'
import { type FileLock, tryLock } from '../process/file-lock.ts'
import { removeFolder } from '../process/own-folder.ts'
import { BaseCopies } from './base-copies.ts'
import { copyProfile, DEFAULT_MAX_PROFILE_BYTES } from './clone.ts'
import { LOCK } from './health.ts'
import { Leftovers, type LeftoversOptions } from './leftovers.ts'
import { isWorkerProfile, listProfiles, type StoredProfile } from './listing.ts'
import { Spares } from './spares.ts'

export interface ProfileStoreOptions {
  /** Of the run: `RunFolder.profiles`. */
  readonly folder: string
  /** A profile to start from, closed, sealed or not. */
  readonly base?: string
  /** Bytes of kept files. Default 100 MB. */
  readonly maxBytes?: number
  /** Bytes of the disk that no profile is made of; 0: all may be used. Default 0. */
  readonly diskFloorBytes?: number
  /** False: no clone is made ahead. Default true. */
  readonly prewarm?: boolean
  readonly leftovers?: LeftoversOptions
}

export interface ProfileStore {
  /**
   * A fresh profile, locked: a clone of `base`, or of the store's own if none is named.
   *
   * @throws TroupeError PROFILE_FAILED when the base has a problem or is too large, or the disk is
   * nearly full.
   */
  acquire(slot: string, incarnation: number, base?: string): Promise<{ readonly folder: string }>
  /**
   * Deletes the profile of a browser that has ended. Releasing twice does nothing.
   *
   * @throws TroupeError PROFILE_FAILED when something still keeps it; it is tried again later.
   */
  release(folder: string): Promise<void>
  /** False when the profile of a browser that runs was taken away, or something of it. */
  isThere(folder: string): boolean
  list(): Promise<StoredProfile[]>
  /** Deletes leftovers, spares and what is in quarantine. Returns what is gone. */
  clean(): Promise<string[]>
  /** Resolves once nothing is made or retried any more. The folder is then the caller's to remove. */
  close(): Promise<void>
}

/**
 * Opens the profiles of a pool.
 *
 * @example
 * const profiles = openProfileStore({ folder: run.profiles, base: '/home/me/portal-login' })
 * const { folder } = await profiles.acquire('worker-1', 1)
 */
export function openProfileStore(options: ProfileStoreOptions): ProfileStore {
  return new Profiles(options)
}

class Profiles implements ProfileStore {
  readonly #options: ProfileStoreOptions
  readonly #maxBytes: number
  readonly #held = new Map<string, FileLock>()
  readonly #copies: BaseCopies
  readonly #spares: Spares
  readonly #leftovers: Leftovers
  #mayPrepare: boolean
  /** Bases of which the next clone is to be made ahead. */
  readonly #wanted = new Set<string>()
  /** Who waits for a profile now goes before who may want one later. */
  #waiting = 0
  #last: Promise<unknown> = Promise.resolve()

  constructor(options: ProfileStoreOptions) {
    const { folder, maxBytes = DEFAULT_MAX_PROFILE_BYTES } = options
    this.#options = options
    this.#maxBytes = maxBytes
    this.#copies = new BaseCopies({ folder, maxBytes })
    this.#spares = new Spares(folder)
    this.#leftovers = new Leftovers(options.leftovers)
    this.#mayPrepare = options.prewarm ?? true
  }

  async acquire(slot: string, incarnation: number, base = this.#options.base) {
    this.#waiting += 1
    try {
      return await this.#inTurn(() => this.#make(slot, incarnation, base))
    } finally {
      this.#waiting -= 1
      if (base !== undefined) this.#wanted.add(base)
      this.#prepareNext()
    }
  }

  async release(target: string): Promise<void> {
    if (dirname(target) !== this.#options.folder) {
      throw misused(`${target} is no profile of this pool`)
    }
    const lock = this.#held.get(target)
    if (!lock) return
    this.#held.delete(target)
    await lock.release()
    try {
      await this.#leftovers.remove(target)
    } catch (cause) {
      const message = `cannot delete the profile ${target}: ${(cause as Error).message}`
      throw new TroupeError('PROFILE_FAILED', message, { cause })
    }
  }

  isThere(folder: string): boolean {
    return this.#held.get(folder)?.isThere() ?? false
  }

  list(): Promise<StoredProfile[]> {
    return listProfiles(this.#options.folder, (path) => this.#held.has(path))
  }

  clean(): Promise<string[]> {
    // In turn: a profile that is just being made is not held yet.
    return this.#inTurn(async () => {
      const gone = await this.#spares.clear()
      for (const profile of await this.list()) {
        if (profile.state !== 'leftover' && profile.state !== 'quarantined') continue
        await removeFolder(profile.folder)
        this.#leftovers.forget(profile.folder)
        gone.push(profile.folder)
      }
      return gone
    })
  }

  async close(): Promise<void> {
    this.#mayPrepare = false
    this.#leftovers.stop()
    await this.#last
  }

  /** One at a time: a clone takes milliseconds, and a bad base must be replaced once. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(work, work)
    this.#last = turn.catch(() => undefined)
    return turn
  }

  async #make(slot: string, incarnation: number, base: string | undefined) {
    const { folder, diskFloorBytes = 0 } = this.#options
    const name = `${slot}.${incarnation}`
    const target = join(folder, name)
    if (relative(folder, target) !== name || !isWorkerProfile(name)) {
      throw misused(`no profile for slot ${slot}`)
    }
    await mkdir(folder, { recursive: true, mode: 0o700 })
    await assertRoom(folder, diskFloorBytes, `the profile of ${slot}`, 'PROFILE_FAILED')
    if (base === undefined) await copyProfile({ target, maxBytes: this.#maxBytes })
    else if (!(await this.#spares.take(base, target))) {
      const copy = await this.#copies.ready(base)
      await copyProfile({ base: copy, target, maxBytes: this.#maxBytes })
    }
    this.#held.set(target, await this.#lock(target))
    return { folder: target }
  }

  /** On a full disk there may be a profile and no room for its lock: then nobody would delete it. */
  async #lock(target: string): Promise<FileLock> {
    try {
      const lock = await tryLock(join(target, LOCK))
      if (lock) return lock
    } catch (cause) {
      await this.#leftovers.remove(target)
      throw new TroupeError('PROFILE_FAILED', `cannot lock the profile ${target}`, { cause })
    }
    throw misused(`somebody else has locked the new profile ${target}`)
  }

  #prepareNext(): void {
    const [base] = this.#wanted
    if (base === undefined || this.#waiting > 0 || !this.#mayPrepare) return
    this.#wanted.delete(base)
    // One that could not be made is no loss: the start that wants it says what is wrong.
    const prepared = this.#inTurn(() => this.#prepare(base)).catch(() => undefined)
    void prepared.then(() => this.#prepareNext())
  }

  async #prepare(base: string): Promise<void> {
    if (!this.#mayPrepare || this.#spares.has(base)) return
    const { folder, diskFloorBytes = 0 } = this.#options
    await assertRoom(folder, diskFloorBytes, 'a spare profile', 'PROFILE_FAILED')
    await this.#spares.make(base, await this.#copies.ready(base), this.#maxBytes)
  }
}

function misused(message: string): TroupeError {
  return new TroupeError('PROFILE_FAILED', message)
}
