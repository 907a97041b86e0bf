/**
 * The profiles of one pool, in its run folder. Every incarnation of a worker gets a fresh clone of
 * the pool's own sealed copy of the base; a copy that has gone bad is put in quarantine and taken
 * anew. The user's base is only ever read. A profile is deleted after the confirmed end of its
 * browser, which is the caller's to confirm.
 */
import { mkdir, readdir, rename } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { TroupeError } from '../errors.ts'
import { type FileLock, tryLock } from '../worker/file-lock.ts'
import { removeFolder } from '../worker/own-folder.ts'
import { cloneProfile, copyProfile, DEFAULT_MAX_PROFILE_BYTES } from './clone.ts'
import { LOCK } from './health.ts'
import { checkContents, sealContents } from './seal.ts'
import { sizeOf } from './size.ts'

const BASE = 'base'
const QUARANTINE = 'quarantine'
/** Bad copies that are kept to be looked at. */
const MAX_QUARANTINED = 3
const NAME = /^(worker-\d+)\.(\d+)$/

export interface ProfileStoreOptions {
  /** Of the run: `RunFolder.profiles`. */
  readonly folder: string
  /** A profile to start from, closed, sealed or not. */
  readonly base?: string
  /** Bytes of kept files. Default 100 MB. */
  readonly maxBytes?: number
}

export interface StoredProfile {
  readonly folder: string
  /** Null for what is in quarantine and for the base. */
  readonly slot: string | null
  readonly incarnation: number | null
  /** `leftover`: released, but its deletion failed. */
  readonly state: 'held' | 'leftover' | 'base' | 'quarantined'
  /** On the disk. */
  readonly bytes: number
}

export interface ProfileStore {
  /**
   * A fresh profile, locked.
   *
   * @throws TroupeError PROFILE_FAILED when the base has a problem or is too large.
   */
  acquire(slot: string, incarnation: number): Promise<{ readonly folder: string }>
  /**
   * Deletes the profile of a browser that has ended. Releasing twice does nothing.
   *
   * @throws TroupeError PROFILE_FAILED when something still keeps it; `clean` tries again.
   */
  release(folder: string): Promise<void>
  list(): Promise<StoredProfile[]>
  /** Deletes leftovers and what is in quarantine. Returns what is gone. */
  clean(): Promise<string[]>
}

/**
 * Opens the profiles of a pool.
 *
 * @example
 * const profiles = openProfileStore({ folder: run.profiles, base: '/home/me/portal-login' })
 * const { folder } = await profiles.acquire('worker-1', 1)
 */
export function openProfileStore(options: ProfileStoreOptions): ProfileStore {
  const { folder, base, maxBytes = DEFAULT_MAX_PROFILE_BYTES } = options
  const held = new Map<string, FileLock>()
  const ownBase = join(folder, BASE)
  let baseReady = false
  let last: Promise<unknown> = Promise.resolve()

  /** One at a time: a clone takes milliseconds, and a bad base must be replaced once. */
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = last.then(work, work)
    last = turn.catch(() => undefined)
    return turn
  }

  async function readyBase(): Promise<void> {
    if (base === undefined) return
    if (baseReady) {
      if ((await checkContents(ownBase)).ok) return
      baseReady = false
      await quarantine(ownBase, join(folder, QUARANTINE))
    }
    await removeFolder(ownBase)
    await cloneProfile({ base, target: ownBase, maxBytes })
    await sealContents(ownBase)
    baseReady = true
  }

  async function acquire(slot: string, incarnation: number) {
    const target = join(folder, `${slot}.${incarnation}`)
    if (!NAME.test(relative(folder, target))) throw misused(`no profile for slot ${slot}`)
    await readyBase()
    const source = base === undefined ? {} : { base: ownBase }
    await copyProfile({ ...source, target, maxBytes })
    const lock = await tryLock(join(target, LOCK))
    if (!lock) throw misused(`somebody else has locked the new profile ${target}`)
    held.set(target, lock)
    return { folder: target }
  }

  async function release(target: string): Promise<void> {
    if (dirname(target) !== folder) throw misused(`${target} is no profile of this pool`)
    const lock = held.get(target)
    if (!lock) return
    held.delete(target)
    await lock.release()
    try {
      await removeFolder(target)
    } catch (cause) {
      const message = `cannot delete the profile ${target}: ${(cause as Error).message}`
      throw new TroupeError('PROFILE_FAILED', message, { cause })
    }
  }

  const list = () => listProfiles(folder, (path) => held.has(path))

  async function clean(): Promise<string[]> {
    const gone: string[] = []
    for (const profile of await list()) {
      if (profile.state !== 'leftover' && profile.state !== 'quarantined') continue
      await removeFolder(profile.folder)
      gone.push(profile.folder)
    }
    return gone
  }

  return {
    acquire: (slot, incarnation) => inTurn(() => acquire(slot, incarnation)),
    release,
    list,
    // In turn: a profile that is just being made is not held yet.
    clean: () => inTurn(clean),
  }
}

/**
 * Moves a profile out of use, to be looked at. Only the newest three are kept.
 *
 * @returns Where it is now.
 */
export async function quarantine(profile: string, into: string): Promise<string> {
  await mkdir(into, { recursive: true, mode: 0o700 })
  const names = (await namesIn(into)).map(Number).sort((a, b) => a - b)
  const next = (names.at(-1) ?? 0) + 1
  const target = join(into, String(next))
  await rename(profile, target)
  for (const name of names.slice(0, Math.max(0, names.length + 1 - MAX_QUARANTINED))) {
    await removeFolder(join(into, String(name)))
  }
  return target
}

async function listProfiles(
  folder: string,
  isHeld: (path: string) => boolean,
): Promise<StoredProfile[]> {
  const profiles: StoredProfile[] = []
  for (const name of await namesIn(folder)) {
    const path = join(folder, name)
    const match = NAME.exec(name)
    if (match) {
      const state = isHeld(path) ? 'held' : 'leftover'
      const slot = match[1] as string
      const bytes = await sizeOf(path)
      profiles.push({ folder: path, slot, incarnation: Number(match[2]), state, bytes })
    } else if (name === BASE) {
      profiles.push({ ...unowned(path), state: 'base', bytes: await sizeOf(path) })
    }
  }
  for (const name of await namesIn(join(folder, QUARANTINE))) {
    const path = join(folder, QUARANTINE, name)
    profiles.push({ ...unowned(path), state: 'quarantined', bytes: await sizeOf(path) })
  }
  return profiles
}

function unowned(folder: string) {
  return { folder, slot: null, incarnation: null }
}

async function namesIn(folder: string): Promise<string[]> {
  return readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw error
  })
}

function misused(message: string): TroupeError {
  return new TroupeError('PROFILE_FAILED', message)
}
