/**
 * The mark of a folder that Troupe made and may remove: a file in it that names the folder, its kind
 * and its user. Names of folders prove nothing, for anybody may use them. What is removed is the
 * folder that was looked at, by its descriptor, whatever is put under its name meanwhile.
 */
import { randomBytes } from 'node:crypto'
import { constants, lstatSync, readdirSync, writeFileSync } from 'node:fs'
import {
  type FileHandle,
  lstat,
  open,
  readdir,
  rename,
  rmdir,
  stat,
  unlink,
  writeFile,
} from 'node:fs/promises'
import { basename, join } from 'node:path'
import { TroupeError } from '../common/errors.ts'
import { removeFolder, removeFolderSync } from './own-folder.ts'

export const MARK = '.troupe'
/** How what is being removed is called meanwhile. */
const REMOVED = '.removed-'
const MAX_MARK_BYTES = 512
/** Something may still write into a folder that is being removed. */
const MAX_ROUNDS = 3

/** What a folder is to Troupe. */
type MarkKind = 'run' | 'browser' | 'compile-cache'

export interface MarkedFolder {
  /** A path to the folder that was looked at; on Linux it stays with it if it is renamed. */
  readonly base: string
  close(): Promise<void>
}

/** Marks a folder that was just made, or has lost its mark. `name`: what it is called when done. */
export async function writeMark(folder: string, kind: MarkKind, name: string): Promise<void> {
  const path = join(folder, MARK)
  await writeFile(path, textOf(kind, name), { mode: 0o600, flag: 'wx' }).catch(ignoreExisting)
}

/** As `writeMark`, at once. False when there is a mark already. */
export function writeMarkSync(folder: string, kind: MarkKind, name: string): boolean {
  try {
    writeFileSync(join(folder, MARK), textOf(kind, name), { mode: 0o600, flag: 'wx' })
    return true
  } catch (error) {
    ignoreExisting(error as NodeJS.ErrnoException)
    return false
  }
}

/**
 * Opens a folder that bears its mark, is this user's and nobody else can write to.
 *
 * @returns Null for everything else: links, files, folders of others, and those without a mark.
 */
export async function openMarked(
  path: string,
  kind: MarkKind,
  name: string = basename(path),
): Promise<MarkedFolder | null> {
  if (process.platform === 'win32') return openByName(path, kind, name)
  const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = constants
  const handle = await open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW).catch(() => null)
  if (handle === null) return null
  const base = await baseOf(handle, path)
  if ((await isPrivate(handle)) && (await bearsMark(base, textOf(kind, name)))) {
    return { base, close: () => handle.close() }
  }
  await handle.close()
  return null
}

/** As `openMarked`, for a look only. */
export async function isMarked(path: string, kind: MarkKind, name?: string): Promise<boolean> {
  const folder = await openMarked(path, kind, name)
  await folder?.close()
  return folder !== null
}

/**
 * Removes a marked folder and all in it. The mark goes last: what could not be removed is still
 * known the next time.
 */
export async function removeMarked(path: string, { base }: MarkedFolder): Promise<void> {
  for (let round = 1; ; round++) {
    for (const name of await namesIn(base)) if (name !== MARK) await removeInside(base, name)
    const left = await namesIn(base)
    if (left.every((name) => name === MARK)) break
    if (round === MAX_ROUNDS) {
      throw new TroupeError('PROFILE_FAILED', `something still writes into ${path}`)
    }
  }
  await unlink(join(base, MARK)).catch(ignoreAbsent)
  // Of a folder that is empty only, and of no link: what has taken its name meanwhile stays.
  await rmdir(path).catch(ignoreAbsent)
}

/** Renamed first: whoever still writes there by its path finds nothing to write into any more. */
async function removeInside(base: string, name: string): Promise<void> {
  const removed = join(base, `${REMOVED}${randomBytes(6).toString('hex')}`)
  await rename(join(base, name), removed).catch(ignoreAbsent)
  await removeFolder(removed)
}

/** As `removeMarked`, for an `exit` handler: at once and without throwing. */
export function removeMarkedSync(path: string): void {
  try {
    if (!lstatSync(path).isDirectory()) return
    const names = readdirSync(path).filter((name) => name !== MARK)
    if (names.every((name) => removeFolderSync(join(path, name)))) removeFolderSync(path)
  } catch {
    // It is gone, or stays for the next start.
  }
}

function textOf(kind: MarkKind, name: string): string {
  return `troupe folder 1\nkind ${kind}\nname ${name}\nuid ${process.getuid?.() ?? '-'}\n`
}

/** A path through the descriptor, where the system has one. */
async function baseOf(handle: FileHandle, path: string): Promise<string> {
  if (process.platform !== 'linux') return path
  const through = `/proc/self/fd/${handle.fd}`
  const [there, here] = await Promise.all([stat(through).catch(() => null), handle.stat()])
  return there?.ino === here.ino && there.dev === here.dev ? through : path
}

async function isPrivate(handle: FileHandle): Promise<boolean> {
  const facts = await handle.stat()
  return facts.isDirectory() && facts.uid === process.getuid?.() && (facts.mode & 0o077) === 0
}

async function bearsMark(base: string, text: string): Promise<boolean> {
  const flags = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0)
  const file = await open(join(base, MARK), flags).catch(() => null)
  if (file === null) return false
  try {
    const facts = await file.stat()
    if (!facts.isFile() || facts.size > MAX_MARK_BYTES) return false
    return facts.uid === (process.getuid?.() ?? facts.uid) && (await file.readFile('utf8')) === text
  } finally {
    await file.close()
  }
}

/** Windows opens no folders, and tells neither owner nor mode. */
async function openByName(path: string, kind: MarkKind, name: string) {
  const facts = await lstat(path).catch(() => null)
  if (!facts?.isDirectory() || !(await bearsMark(path, textOf(kind, name)))) return null
  return { base: path, close: () => Promise.resolve() }
}

async function namesIn(folder: string): Promise<string[]> {
  return (await readdir(folder).catch(ignoreAbsent)) ?? []
}

function ignoreAbsent(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error
}

function ignoreExisting(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error
}
