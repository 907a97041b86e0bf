/**
 * A lock between processes, for what headless Chromium does not lock. Each taker first claims, by a
 * file whose name holds its pid and start time, then looks for others' claims: of two takers at
 * least one sees the other. A dead taker's claim counts for nothing and can be removed without a
 * race, since its name is never used again. It cannot judge a taker in another container or on
 * another machine.
 */
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { isAlive, startTimeOf } from './process-group.ts'

const HELD = 'held'
const POLL_MS = 50
/** Takers that met before either held it step back for a random while, at most this often. */
const MAX_MEETINGS = 12
const MAX_STEP_BACK_MS = 64

export interface FileLock {
  readonly path: string
  /** False when something has removed its claim, and perhaps all that is beside it. */
  isThere(): boolean
  release(): Promise<void>
}

interface Claim {
  readonly file: string
  readonly pid: number
}

/**
 * Takes the lock, or says that somebody has it. `path` need not exist: claims lie beside it.
 *
 * @returns Null when a living process holds it.
 */
export async function tryLock(path: string): Promise<FileLock | null> {
  for (let meeting = 1; meeting <= MAX_MEETINGS; meeting++) {
    const own = `${path}.${ownName()}`
    await writeFile(own, '', { mode: 0o600, flag: 'wx' })
    const others = (await livingClaims(path)).filter((claim) => claim.file !== own)
    if (others.length === 0) {
      await writeFile(own, HELD)
      return { path, isThere: () => existsSync(own), release: () => rm(own, { force: true }) }
    }
    await rm(own, { force: true })
    if (await someHeld(others)) return null
    await delay(Math.random() * Math.min(2 ** meeting, MAX_STEP_BACK_MS))
  }
  return null
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

/** The pid of a living process that holds the lock or is about to, or null. */
export async function lockHolder(path: string): Promise<number | null> {
  const [claim] = await livingClaims(path)
  return claim?.pid ?? null
}

function ownName(): string {
  const startTime = startTimeOf(process.pid) ?? 0
  return `${process.pid}-${startTime}-${randomBytes(6).toString('hex')}`
}

/** Claims of living processes. Those of the dead are removed on the way. */
async function livingClaims(path: string): Promise<Claim[]> {
  const prefix = `${basename(path)}.`
  const living: Claim[] = []
  for (const name of await namesIn(dirname(path))) {
    if (!name.startsWith(prefix)) continue
    const match = /^(\d+)-(\d+)-[0-9a-f]{12}$/.exec(name.slice(prefix.length))
    if (!match) continue
    const claim = { file: join(dirname(path), name), pid: Number(match[1]) }
    if (lives(claim.pid, match[2] as string)) living.push(claim)
    else await rm(claim.file, { force: true })
  }
  return living
}

/** A pid alone may have been given to somebody else since. */
function lives(pid: number, startTime: string): boolean {
  if (!isAlive(pid)) return false
  const now = startTimeOf(pid)
  // What cannot be read now is looked at again by whoever asks next.
  return startTime === '0' || now === null || now === startTime
}

async function someHeld(claims: readonly Claim[]): Promise<boolean> {
  for (const { file } of claims) {
    const text = await readFile(file, 'utf8').catch(nullWhenAbsent)
    if (text === HELD) return true
  }
  return false
}

async function namesIn(folder: string): Promise<string[]> {
  return (await readdir(folder).catch(nullWhenAbsent)) ?? []
}

function nullWhenAbsent(error: NodeJS.ErrnoException): null {
  if (error.code === 'ENOENT') return null
  throw error
}
