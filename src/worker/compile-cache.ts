/**
 * Where workers keep what Node compiled: stripped TypeScript and V8's code. It outlives the run, so
 * that the next run's workers start sooner and need not load the stripper (10 MB each). The folder is
 * this user's alone: what lies in it is run.
 */
import { homedir } from 'node:os'
import { isAbsolute, join } from 'node:path'
import { sizeOf } from '../profile/size.ts'
import { ensureOwnFolder, removeFolder } from './own-folder.ts'

/** Past this it is emptied: old versions of task files are never asked for again. */
const MAX_BYTES = 64 * 1024 * 1024

/** The folder of the cache, ready for use; null where this user has no cache folder of his own. */
export async function openCompileCache(env: NodeJS.ProcessEnv = process.env) {
  const home = env.XDG_CACHE_HOME ?? join(env.HOME ?? homedir(), '.cache')
  if (!isAbsolute(home)) return null
  const own = join(home, 'troupe')
  const folder = join(own, 'compiled')
  try {
    if ((await sizeOf(folder)) > MAX_BYTES) await removeFolder(folder)
    await ensureOwnFolder(own)
    await ensureOwnFolder(folder)
    return folder
  } catch {
    return null
  }
}
