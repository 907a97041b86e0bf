/**
 * What can be seen of a profile's health without a seal: whether a browser is using it, whether its
 * settings parse, and whether its cookie database is whole. It only reads, and it never opens a
 * database in a way that could change it.
 */
import { open, readFile, readlink, stat } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { lockHolder } from '../process/file-lock.ts'
import { browsersOn, isAlive } from '../process/process-group.ts'
import { COOKIE_FILES, JSON_FILES, listKept } from './allow-list.ts'

/** Our own lock, in the profile folder: a headless browser has none. */
export const LOCK = 'troupe.lock'
/** First bytes of an SQLite rollback journal that still has something to roll back. */
const HOT_JOURNAL = 'd9d505f920a163d7'

export interface ProfileProblem {
  readonly kind: 'inUse' | 'absent' | 'missing' | 'changed' | 'added' | 'damaged'
  /** Relative to the profile. */
  readonly path: string
  readonly detail: string
}

/**
 * Who uses the profile: the holder of our lock or of Chromium's, or a process that names it. Null
 * for nobody.
 */
export async function userOf(folder: string): Promise<ProfileProblem | null> {
  const holder = await lockHolder(join(folder, LOCK))
  if (holder !== null && holder !== process.pid) return inUse(LOCK, holder)
  const singleton = await singletonHolder(folder)
  if (singleton !== null) return inUse('SingletonLock', singleton)
  const [pid] = browsersOn(resolve(folder)).pids
  return pid === undefined ? null : inUse('.', pid)
}

/** What is wrong with the files themselves. */
export async function findDamage(folder: string): Promise<ProfileProblem[]> {
  const facts = await stat(folder).catch(() => null)
  if (!facts?.isDirectory())
    return [{ kind: 'absent', path: '.', detail: 'there is no such folder' }]
  const kept = await listKept(folder)
  if (kept.length === 0) {
    const detail = 'it holds nothing of a browser profile; name the folder that holds `Default`'
    return [{ kind: 'absent', path: 'Default', detail }]
  }
  const problems: ProfileProblem[] = []
  for (const { path } of kept) {
    const detail = JSON_FILES.has(path)
      ? await jsonDamage(join(folder, path))
      : COOKIE_FILES.has(path)
        ? await cookieDamage(join(folder, path))
        : null
    if (detail !== null) problems.push({ kind: 'damaged', path, detail })
  }
  return problems
}

/**
 * Chromium's own lock is a link to `host-pid`. Of another host one cannot know: then it counts for
 * nothing.
 */
async function singletonHolder(folder: string): Promise<number | null> {
  const target = await readlink(join(folder, 'SingletonLock')).catch(() => '')
  const match = /^(.*)-(\d+)$/.exec(target)
  if (!match || match[1] !== hostname()) return null
  const pid = Number(match[2])
  return isAlive(pid) ? pid : null
}

async function jsonDamage(path: string): Promise<string | null> {
  try {
    const value: unknown = JSON.parse(await readFile(path, 'utf8'))
    return typeof value === 'object' && value !== null ? null : 'it holds no settings'
  } catch {
    // The parser's own words quote the file.
    return 'it is no JSON'
  }
}

async function cookieDamage(path: string): Promise<string | null> {
  if (await hasHotJournal(path)) return 'the browser was not closed cleanly'
  const sqlite = await loadSqlite()
  if (!sqlite) return null
  // Immutable: no lock is taken and no journal made, so a sealed profile stays as it is.
  const url = pathToFileURL(path)
  url.searchParams.set('immutable', '1')
  try {
    const database = new sqlite.DatabaseSync(url, { readOnly: true })
    try {
      const row = database.prepare('PRAGMA quick_check(1)').get()
      const verdict = row?.['quick_check']
      if (verdict !== 'ok') return `quick_check says: ${String(verdict)}`
      database.prepare('SELECT count(*) FROM cookies').get()
      return null
    } finally {
      database.close()
    }
  } catch (error) {
    return `it is no cookie database: ${(error as Error).message}`
  }
}

async function hasHotJournal(path: string): Promise<boolean> {
  const file = await open(`${path}-journal`).catch(() => null)
  if (!file) return false
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(8), 0, 8, 0)
    return bytesRead === 8 && buffer.toString('hex') === HOT_JOURNAL
  } finally {
    await file.close()
  }
}

/** Absent where Node was told to leave it out. */
async function loadSqlite(): Promise<typeof import('node:sqlite') | null> {
  return import('node:sqlite').catch(() => null)
}

function inUse(path: string, pid: number): ProfileProblem {
  return { kind: 'inUse', path, detail: `process ${pid} uses it; close that browser first` }
}
