/**
 * The run folder: one 0700 folder per pool that holds everything of a run, and `owner.sock`, on
 * which the pool listens for as long as it lives. A marked folder whose socket refuses is a dead
 * pool's, and the next start sweeps it: its processes first, then the folder. It never touches a
 * folder without Troupe's mark, one whose owner answers, nor one of another user.
 */
import { randomBytes } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { mkdir, readdir, rename, stat } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { TroupeError } from '../common/errors.ts'
import {
  MARK,
  type MarkedFolder,
  openMarked,
  removeMarked,
  removeMarkedSync,
  writeMark,
  writeMarkSync,
} from './mark.ts'
import { assertSocketFits, OwnerSocket, probeOwner, SOCKET } from './owner-socket.ts'
import {
  defaultRoot,
  ensureOwnFolder,
  ensureOwnFolderSync,
  isOwnFolder,
  removeFolder,
  removeFolderSync,
} from './own-folder.ts'
import {
  type Found,
  groupOf,
  isAlive,
  killGroup,
  killProcess,
  processesUnder,
  processesWhere,
} from './process-group.ts'
import { WORKER_INIT_VARIABLE } from './ipc/protocol.ts'
import { KeptFresh } from './kept-fresh.ts'

const SUBFOLDERS = ['profiles', 'tmp', 'artifacts', 'downloads'] as const
const NAME = /^\.?run-[0-9a-f]{12}$/
/** A folder without a socket is being made or being removed, unless it is this old. */
const HALF_MADE_GRACE_MS = 60_000
const DEATH_LIMIT_MS = 2_000
const DEATH_POLL_MS = 10
/** One sweep looks at this many folders. The next sweep goes on. */
const MAX_SWEPT_FOLDERS = 1_000

export interface RunFolder {
  readonly path: string
  readonly profiles: string
  /** For TMPDIR of workers and browsers. */
  readonly tmp: string
  readonly artifacts: string
  readonly downloads: string
  /**
   * Makes anew what of it is gone: a folder, the mark, the socket. Nothing once it is being closed.
   *
   * @returns The names of what was gone.
   * @throws TroupeError CONFIG_INVALID when its place is somebody else's by now.
   */
  renew(): readonly string[]
  /** This folder, too, is kept from those who clean by age. */
  keepFresh(folder: string): void
  /** Touches everything in it, as it does by itself now and then. */
  touch(): Promise<void>
  /**
   * Removes the folder and all in it, with retries. The owner answers until it is gone.
   *
   * @throws TroupeError PROFILE_FAILED when something keeps it; the next start sweeps it.
   */
  close(): Promise<void>
  /** For an `exit` handler: removes at once, never throws. */
  removeSync(): void
}

export interface SweptFolder {
  readonly folder: string
  /** Pids of leftovers that were killed. */
  readonly killed: readonly number[]
  readonly removed: boolean
  /** Why it is still there, when it is. */
  readonly problem?: string
}

/**
 * Makes the folder of a run. Nobody sees it under its name before its owner listens.
 *
 * @throws TroupeError CONFIG_INVALID when `root` is too long for a socket, or not ours.
 * @example
 * const run = await openRunFolder()
 * try { … } finally { await run.close() }
 */
export async function openRunFolder(options: { readonly root?: string } = {}): Promise<RunFolder> {
  const root = resolve(options.root ?? defaultRoot())
  const name = `run-${randomBytes(6).toString('hex')}`
  const path = join(root, name)
  const draft = join(root, `.${name}`)
  assertSocketFits(draft)
  await (options.root === undefined ? ensureOwnFolder(root) : mkdir(root, { recursive: true }))
  await mkdir(draft, { mode: 0o700 })
  let socket: OwnerSocket
  try {
    await writeMark(draft, 'run', name)
    for (const subfolder of SUBFOLDERS) await mkdir(join(draft, subfolder), { mode: 0o700 })
    socket = await OwnerSocket.open(draft)
    await rename(draft, path)
  } catch (error) {
    removeFolderSync(draft)
    throw error
  }
  return runFolderAt(path, socket, options.root === undefined)
}

/**
 * Removes what dead pools left under `root`: their processes first. Safe to run in several pools at
 * once.
 *
 * @returns One entry for each dead pool's folder.
 */
export async function sweepRunFolders(root: string = defaultRoot()): Promise<SweptFolder[]> {
  const folder = resolve(root)
  // The folder in the temporary folder has a name that anybody can take first.
  if (folder === defaultRoot() && !(await isOwnFolder(folder))) return []
  const names = await readdir(folder).catch(() => [])
  const candidates = names.filter((name) => NAME.test(name)).slice(0, MAX_SWEPT_FOLDERS)
  const swept: SweptFolder[] = []
  for (const name of candidates) {
    const path = join(folder, name)
    const finalName = name.replace(/^\./, '')
    const marked = await openMarked(path, 'run', finalName)
    if (marked === null) continue
    try {
      if (await isDead(path, marked)) swept.push(await sweep(path, marked, join(folder, finalName)))
    } finally {
      await marked.close()
    }
  }
  return swept
}

/**
 * The pids of a run: browsers by their profile, their helpers by what they have mapped from the
 * run's TMPDIR (a helper names no profile), workers and what they spawned by the environment they
 * were born with.
 */
function processesOfRun(path: string): Found {
  const inside = join(path, '/')
  const browsers = processesUnder(`--user-data-dir=${inside}`)
  const others = processesWhere(
    ({ cmdline, environ, maps }) =>
      (cmdline.includes('--type=') && maps.includes(inside)) ||
      [`${WORKER_INIT_VARIABLE}=`, path].every((text) => environ.includes(text)),
  )
  const pids = [...new Set([...browsers.pids, ...others.pids])]
  return {
    pids: pids.filter((pid) => pid !== process.ppid),
    isWhole: browsers.isWhole && others.isWhole,
  }
}

function runFolderAt(path: string, socket: OwnerSocket, isInDefaultRoot: boolean): RunFolder {
  const root = dirname(path)
  const name = basename(path)
  const fresh = new KeptFresh(path)
  let closing: Promise<void> | null = null

  function renew(): string[] {
    if (fresh.isOver) return []
    if (isInDefaultRoot) ensureOwnFolderSync(root)
    else mkdirSync(root, { recursive: true })
    const folders = ['', ...SUBFOLDERS].filter((inner) => ensureOwnFolderSync(join(path, inner)))
    const made = folders.map((inner) => inner || name)
    if (writeMarkSync(path, 'run', name)) made.push(MARK)
    if (socket.isThere(path)) return made
    void socket.listenAgain(path)
    return [...made, SOCKET]
  }

  async function close(): Promise<void> {
    fresh.end()
    try {
      await removeRun(path)
    } catch (cause) {
      const message = `could not remove the run folder ${path}: ${(cause as Error).message}`
      throw new TroupeError('PROFILE_FAILED', message, { cause })
    } finally {
      await socket.close()
    }
  }

  return {
    path,
    profiles: join(path, 'profiles'),
    tmp: join(path, 'tmp'),
    artifacts: join(path, 'artifacts'),
    downloads: join(path, 'downloads'),
    renew,
    keepFresh: (folder) => fresh.add(folder),
    touch: () => fresh.touch(),
    close: () => {
      closing ??= close()
      return closing
    },
    removeSync: () => {
      fresh.end()
      removeMarkedSync(path)
    },
  }
}

/** By its mark, which goes last. One that has lost it is removed all the same: it is this run's. */
async function removeRun(path: string): Promise<void> {
  const marked = await openMarked(path, 'run')
  if (marked === null) return removeFolder(path)
  try {
    await removeMarked(path, marked)
  } finally {
    await marked.close()
  }
}

async function isDead(path: string, { base }: MarkedFolder): Promise<boolean> {
  const answer = await probeOwner(base)
  if (answer === 'alive') return false
  // Under its dot name it may be between two steps of its making; with no socket, of its removal.
  const settled = answer === 'refused' && !basename(path).startsWith('.')
  if (settled) return true
  const facts = await stat(base).catch(() => null)
  return facts !== null && Date.now() - facts.mtimeMs > HALF_MADE_GRACE_MS
}

async function sweep(path: string, marked: MarkedFolder, finalPath: string): Promise<SweptFolder> {
  const { pids, isWhole } = processesOfRun(finalPath)
  try {
    killWithGroups(pids)
    await confirmDeaths(pids)
    // The next sweep goes on: what is left may still use the folder.
    if (!isWhole) throw new Error('not all of its processes could be looked at')
    await removeMarked(path, marked)
    return { folder: path, killed: pids, removed: true }
  } catch (error) {
    return { folder: path, killed: pids, removed: false, problem: (error as Error).message }
  }
}

/**
 * A whole group goes with its leader, or when its leader is gone: it may hold what gives no sign of
 * the run.
 */
function killWithGroups(pids: readonly number[]): void {
  for (const pid of pids) {
    const group = groupOf(pid) ?? pid
    if (group > 1 && (pids.includes(group) || !isAlive(group))) killGroup(group, 'SIGKILL')
    killProcess(pid, 'SIGKILL')
  }
}

async function confirmDeaths(pids: readonly number[]): Promise<void> {
  const deadline = performance.now() + DEATH_LIMIT_MS
  while (pids.some(isAlive)) {
    if (performance.now() > deadline) throw new Error('its processes outlive their SIGKILL')
    await delay(DEATH_POLL_MS)
  }
}
