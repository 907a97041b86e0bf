/**
 * A copy of a store that is in use, by SQLite's own backup: whole as of one moment, and made beside
 * its place, so that nobody finds half of it there. It never writes over a file.
 */
import { randomBytes } from 'node:crypto'
import { existsSync, linkSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { TroupeError } from '../../common/errors.ts'
import { storeError } from './sqlite-errors.ts'

/** @throws CONFIG_INVALID when there is a file; STORE_FULL, STORE_FAILED */
export async function backupTo(db: DatabaseSync, given: string): Promise<void> {
  const { backup } = process.getBuiltinModule('node:sqlite')
  const path = resolve(given)
  if (existsSync(path)) throw taken(path)
  const draft = `${path}.${randomBytes(6).toString('hex')}.part`
  try {
    writeFileSync(draft, '', { mode: 0o600, flag: 'wx' })
    await backup(db, draft)
    const file = await open(draft, 'r+')
    await file.sync().finally(() => file.close())
    place(draft, path)
  } catch (cause) {
    throw codeOf(cause) === 'EEXIST' ? taken(path) : storeError(path, cause)
  } finally {
    for (const name of ['', '-journal']) rmSync(`${draft}${name}`, { force: true })
  }
}

/** Unlike a rename, a link fails where there is a file; not every file system has links. */
function place(draft: string, path: string): void {
  try {
    linkSync(draft, path)
  } catch (error) {
    if (!['EPERM', 'ENOTSUP', 'EOPNOTSUPP'].includes(codeOf(error))) throw error
    renameSync(draft, path)
  }
}

function codeOf(error: unknown): string {
  return String((error as NodeJS.ErrnoException).code)
}

function taken(path: string): TroupeError {
  const message = `there is a file ${path} already: name another for the backup, or move it away`
  return new TroupeError('CONFIG_INVALID', message)
}
