/**
 * A lock between processes: a file that names its holder by pid and start time, so that a dead holder's lock is known
 * for what it is and taken over. Headless Chromium has no profile lock; this is ours. It never waits for ever, and it
 * cannot judge a holder in another container or on another machine.
 */
import { randomBytes } from 'node:crypto'
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { isAlive, startTimeOf } from './process-group.ts'

const POLL_MS = 50
/** Taking over a dead holder's lock may be lost to another taker this often. */
const MAX_TAKEOVERS = 20

export interface FileLock {
  readonly path: string
  release(): Promise<void>
}

interface Holder {
  readonly pid: number
  readonly startTime: string | null
}

/**
 * Takes the lock, or says who has it.
 *
 * @returns Null when a living process holds it.
 */
export async function tryLock(path: string): Promise<FileLock | null> {
  const token = randomBytes(6).toString('hex')
  const text = `${JSON.stringify(ownHolder())} ${token}\n`
  const draft = `${path}.${token}`
  await writeFile(draft, text, { mode: 0o600, flag: 'wx' })
  try {
    for (let takeover = 0; takeover < MAX_TAKEOVERS; takeover++) {
      if (await linked(draft, path)) return { path, release: () => releaseLock(path, text) }
      if (!(await removedWhenStale(path, draft))) return null
    }
    return null
  } finally {
    await rm(draft, { force: true })
  }
}

/**
 * Takes the lock as soon as it is free.
 *
 * @returns Null when `timeoutMs` passed first, or when `until` said that there is no need any more.
 */
export async function waitForLock(
  path: string,
  timeoutMs: number,
  until: () => boolean = () => false,
): Promise<FileLock | null> {
  const deadline = performance.now() + timeoutMs
  while (!until()) {
    const lock = await tryLock(path)
    if (lock) return lock
    if (performance.now() >= deadline) return null
    await delay(POLL_MS)
  }
  return null
}

/** The pid of the living process that holds the lock, or null. */
export async function lockHolder(path: string): Promise<number | null> {
  const text = await readOrNull(path)
  const holder = text === null ? null : parseHolder(text)
  return holder && holds(holder) ? holder.pid : null
}

function ownHolder(): Holder {
  return { pid: process.pid, startTime: startTimeOf(process.pid) }
}

/** A link appears whole or not at all, so nobody ever reads a half-written lock. */
async function linked(draft: string, path: string): Promise<boolean> {
  try {
    await link(draft, path)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

async function removedWhenStale(path: string, draft: string): Promise<boolean> {
  const text = await readOrNull(path)
  if (text === null) return true
  const holder = parseHolder(text)
  if (holder && holds(holder)) return false
  const aside = `${draft}.stale`
  try {
    await rename(path, aside)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return true
    throw error
  }
  // Between the look and the rename another taker may have put its own, living lock there: give it back.
  const took = await readOrNull(aside)
  if (took !== text && took !== null) await linked(aside, path)
  await rm(aside, { force: true })
  return true
}

async function releaseLock(path: string, text: string): Promise<void> {
  if ((await readOrNull(path)) === text) await rm(path, { force: true })
}

function holds(holder: Holder): boolean {
  if (!isAlive(holder.pid)) return false
  return holder.startTime === null || startTimeOf(holder.pid) === holder.startTime
}

function parseHolder(text: string): Holder | null {
  try {
    const value: unknown = JSON.parse(text.slice(0, text.lastIndexOf('}') + 1))
    if (typeof value !== 'object' || value === null) return null
    const { pid, startTime } = value as Record<string, unknown>
    if (typeof pid !== 'number' || !Number.isSafeInteger(pid) || pid < 1) return null
    return { pid, startTime: typeof startTime === 'string' ? startTime : null }
  } catch {
    return null
  }
}

async function readOrNull(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}
