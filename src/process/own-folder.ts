/**
 * Folders that must be ours alone: made 0700, and refused when somebody else could have put
 * something into them. Also the one way folders are removed. It never follows a symbolic link.
 */
import { chmodSync, lstatSync, mkdirSync, rmSync, type Stats } from 'node:fs'
import { chmod, lstat, mkdir, rm } from 'node:fs/promises'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { TroupeError } from '../common/errors.ts'

const REMOVE_RETRIES = 10
/** The n-th retry waits n times this. In all 2.75 s. */
const REMOVE_RETRY_DELAY_MS = 50

/** `<tmp>/troupe-<uid>`: where this user's runs live unless told otherwise. */
export function defaultRoot(): string {
  return join(tmpdir(), `troupe-${userName()}`)
}

/**
 * Makes the folder 0700, or checks that what is there is a folder of this user's that nobody else
 * can write to.
 *
 * @throws TroupeError CONFIG_INVALID when it belongs to a stranger or is no folder.
 */
export async function ensureOwnFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 })
  if (process.platform === 'win32') return
  const facts = await lstat(path)
  requireOurs(path, facts)
  if ((facts.mode & 0o077) !== 0) await chmod(path, 0o700)
}

/**
 * As `ensureOwnFolder`, at once.
 *
 * @returns True when it was not there.
 */
export function ensureOwnFolderSync(path: string): boolean {
  const isNew = mkdirSync(path, { recursive: true, mode: 0o700 }) !== undefined
  if (process.platform === 'win32') return isNew
  const facts = lstatSync(path)
  requireOurs(path, facts)
  if ((facts.mode & 0o077) !== 0) chmodSync(path, 0o700)
  return isNew
}

function requireOurs(path: string, facts: Stats): void {
  if (!facts.isDirectory()) throw notOurs(path, 'it is not a folder')
  if (facts.uid !== process.getuid?.()) throw notOurs(path, 'it belongs to another user')
}

/** True when the folder, not a link to one, belongs to this user. */
export async function isOwnFolder(path: string): Promise<boolean> {
  try {
    const facts = await lstat(path)
    return facts.isDirectory() && (process.platform === 'win32' || facts.uid === process.getuid?.())
  } catch {
    return false
  }
}

/** Removes a folder and all in it. A process that still writes there is given time to end. */
export async function removeFolder(path: string): Promise<void> {
  await rm(path, {
    recursive: true,
    force: true,
    maxRetries: REMOVE_RETRIES,
    retryDelay: REMOVE_RETRY_DELAY_MS,
  })
}

/** As `removeFolder`, for an `exit` handler: at once and without throwing. True when it is gone. */
export function removeFolderSync(path: string): boolean {
  try {
    rmSync(path, { recursive: true, force: true, maxRetries: 2, retryDelay: REMOVE_RETRY_DELAY_MS })
    return true
  } catch {
    return false
  }
}

function userName(): string {
  return String(process.getuid?.() ?? userInfo().username)
}

function notOurs(path: string, why: string): TroupeError {
  return new TroupeError(
    'CONFIG_INVALID',
    `cannot use the folder ${path}: ${why}. Set TMPDIR to a folder of your own, or remove it`,
  )
}
