/**
 * Where workers keep what Node compiled: stripped TypeScript and V8's code. It outlives the run, so
 * that the next run's workers start sooner and need not load the stripper (10 MB each). The folder is
 * this user's alone: what lies in it is run.
 */
import { homedir } from 'node:os'
import { readdir } from 'node:fs/promises'
import { isAbsolute, join } from 'node:path'
import { sizeOf } from '../common/folder-size.ts'
import { openMarked, removeMarked, writeMark } from './mark.ts'
import { ensureOwnFolder } from './own-folder.ts'

/** Past this it is emptied: old versions of task files are never asked for again. */
const MAX_BYTES = 64 * 1024 * 1024
const NAME = 'compiled'
const KIND = 'compile-cache'

/** The folder of the cache, ready for use; null where this user has no cache folder of his own. */
export async function openCompileCache(env: NodeJS.ProcessEnv = process.env) {
  const home = env.XDG_CACHE_HOME ?? join(env.HOME ?? homedir(), '.cache')
  if (!isAbsolute(home)) return null
  const own = join(home, 'troupe')
  const folder = join(own, NAME)
  try {
    await ensureOwnFolder(own)
    if ((await sizeOf(folder)) > MAX_BYTES && !(await empty(folder))) return null
    await ensureOwnFolder(folder)
    const isFresh = (await readdir(folder)).length === 0
    if (isFresh) await writeMark(folder, KIND, NAME)
    return folder
  } catch {
    return null
  }
}

/** False for a folder that is not known to be Troupe's: then it stays as it is. */
async function empty(folder: string): Promise<boolean> {
  const marked = await openMarked(folder, KIND)
  if (marked === null) return false
  try {
    await removeMarked(folder, marked)
    return true
  } finally {
    await marked.close()
  }
}
