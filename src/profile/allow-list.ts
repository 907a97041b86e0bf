/**
 * What of a Chromium profile is worth keeping: cookies, the pages' own storage, and the settings
 * that belong to them. Caches, locks, logs and whatever Chromium will invent next stay behind.
 * Symbolic links are never followed.
 */
import type { Dirent } from 'node:fs'
import { lstat, readdir } from 'node:fs/promises'
import { join, posix } from 'node:path'
import { TroupeError } from '../common/errors.ts'

const KEPT_FILES = [
  'Local State',
  'Default/Preferences',
  'Default/Secure Preferences',
  'Default/Cookies',
  'Default/Cookies-journal',
  'Default/Network/Cookies',
  'Default/Network/Cookies-journal',
]
const KEPT_FOLDERS = [
  'Default/IndexedDB',
  'Default/Local Storage',
  'Default/Service Worker',
  'Default/WebStorage',
]
/** LevelDB makes these anew, and writes to them on every start. */
const SKIPPED = new Set(['LOCK', 'LOG', 'LOG.old'])
/** More kept files than any sane profile has. */
const MAX_FILES = 20_000
const MAX_DEPTH = 16

export const JSON_FILES: ReadonlySet<string> = new Set([
  'Local State',
  'Default/Preferences',
  'Default/Secure Preferences',
])
export const COOKIE_FILES: ReadonlySet<string> = new Set([
  'Default/Cookies',
  'Default/Network/Cookies',
])

interface KeptFile {
  /** Relative to the profile, with forward slashes. */
  readonly path: string
  readonly bytes: number
}

/**
 * The files of a profile that are kept, sorted by path.
 *
 * @throws TroupeError PROFILE_FAILED when there are more than 20,000, or they lie too deep.
 */
export async function listKept(profile: string): Promise<KeptFile[]> {
  const found: KeptFile[] = []
  for (const path of KEPT_FILES) await addFile(profile, path, found)
  for (const path of KEPT_FOLDERS) await addFolder(profile, path, found, 0)
  return found.sort((a, b) => (a.path < b.path ? -1 : 1))
}

async function addFolder(
  profile: string,
  path: string,
  found: KeptFile[],
  depth: number,
): Promise<void> {
  if (depth > MAX_DEPTH) throw tooMuch(profile, `folders within folders: ${path}`)
  for (const entry of await entriesOf(join(profile, path))) {
    const inner = posix.join(path, entry.name)
    if (entry.isDirectory()) await addFolder(profile, inner, found, depth + 1)
    else if (entry.isFile() && !SKIPPED.has(entry.name)) await addFile(profile, inner, found)
  }
}

async function addFile(profile: string, path: string, found: KeptFile[]): Promise<void> {
  const facts = await lstat(join(profile, path)).catch(nullWhenAbsent)
  if (!facts?.isFile()) return
  if (found.length >= MAX_FILES) throw tooMuch(profile, `files: more than ${MAX_FILES}`)
  found.push({ path, bytes: facts.size })
}

async function entriesOf(folder: string): Promise<Dirent[]> {
  return (await readdir(folder, { withFileTypes: true }).catch(nullWhenAbsent)) ?? []
}

function nullWhenAbsent(error: NodeJS.ErrnoException): null {
  if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return null
  throw error
}

function tooMuch(profile: string, what: string): TroupeError {
  return new TroupeError('PROFILE_FAILED', `the profile ${profile} has too many ${what}`)
}
