/**
 * The operating system's processes: send a signal to a whole group, see who is alive, who belongs
 * to whom, who names a folder. Everything is synchronous, so that an `exit` handler can use it. It
 * never signals by name, and never waits.
 */
import { spawnSync } from 'node:child_process'
import { TroupeError } from '../common/errors.ts'
import {
  codeOf,
  listPids,
  type ProcessStat,
  readProc,
  readStat,
  type Unread,
} from './proc-files.ts'
import { listProcesses } from './process-listing.ts'

const TASKKILL_TIMEOUT_MS = 5_000
const TASKKILL_NOT_FOUND = 128
/** Nobody starts a process through so many others. */
const MAX_ANCESTORS = 64

/**
 * What can be said of a process. What cannot be read now is unknown, as when all descriptors are in
 * use: it counts as alive, and is looked at again.
 */
type Life = 'alive' | 'dead' | 'unknown'

/** Processes that were looked for. */
export interface Found {
  readonly pids: number[]
  /** False when some could not be looked at: there may be more. */
  readonly isWhole: boolean
}

const LIFE_OF: Readonly<Record<Unread, Life>> = {
  gone: 'dead',
  hidden: 'alive',
  unreadable: 'unknown',
}

/**
 * Sends a signal to every process of the group that `pid` leads. On Windows it ends the process
 * tree by force, whatever the signal.
 *
 * @returns False when there is no such group any more.
 * @throws TroupeError KILL_FAILED when the system forbids it; INVARIANT_VIOLATED for a pid that is
 * no single process.
 * @example
 * killGroup(child.pid, 'SIGKILL')
 */
export function killGroup(pid: number, signal: NodeJS.Signals): boolean {
  assertPid(pid)
  if (process.platform === 'win32') return killTree(pid)
  return sendSignal(-pid, signal)
}

/**
 * Sends a signal to one process.
 *
 * @returns False when it is gone.
 * @throws TroupeError KILL_FAILED, INVARIANT_VIOLATED as `killGroup`.
 */
export function killProcess(pid: number, signal: NodeJS.Signals): boolean {
  assertPid(pid)
  return sendSignal(pid, signal)
}

/** True while the process runs, or may do so. A zombie is dead: it holds nothing but its number. */
export function isAlive(pid: number): boolean {
  return lifeOf(pid) !== 'dead'
}

/** As `isAlive`, and it tells what is known from what cannot be read now. */
export function lifeOf(pid: number): Life {
  if (!Number.isSafeInteger(pid) || pid < 1) return 'dead'
  const signalled = signalLife(pid)
  if (signalled !== 'alive' || process.platform !== 'linux') return signalled
  const stat = readStat(pid)
  return typeof stat === 'string' ? LIFE_OF[stat] : isRunning(stat) ? 'alive' : 'dead'
}

/** True while a process of the group runs, or may do so, whether its leader still does or not. */
export function isGroupAlive(group: number): boolean {
  return groupLifeOf(group) !== 'dead'
}

/** As `isGroupAlive`, and it tells what is known from what cannot be read now. */
export function groupLifeOf(group: number): Life {
  assertPid(group)
  const signalled = signalLife(-group)
  if (signalled !== 'alive' || process.platform !== 'linux') return signalled
  const pids = listPids()
  if (pids === null) return 'unknown'
  let life: Life = 'dead'
  for (const pid of pids) {
    const stat = readStat(pid)
    if (stat === 'unreadable') life = 'unknown'
    else if (typeof stat !== 'string' && stat.groupId === group && isRunning(stat)) return 'alive'
  }
  return life
}

/** Pids of the processes whose command line contains `text`, this process excepted. */
export function processesUnder(text: string): Found {
  if (process.platform === 'linux') return processesWhere(({ cmdline }) => cmdline.includes(text))
  const matches = listProcesses().filter((entry) => entry.command.includes(text))
  const pids = matches.map((entry) => entry.pid).filter((pid) => pid !== process.pid)
  return { pids, isWhole: true }
}

/** Pids of the browsers whose profile is exactly this folder. */
export function browsersOn(profile: string): Found {
  // On Linux each argument ends in a NUL: worker-1.1 is not the beginning of worker-1.10.
  return processesUnder(`--user-data-dir=${profile}${process.platform === 'linux' ? '\0' : ''}`)
}

/**
 * What Linux tells of a process; each is read when it is asked for, and empty when it is not ours
 * to see.
 */
interface ProcessEvidence {
  readonly cmdline: Buffer
  /** As it was at birth. */
  readonly environ: Buffer
  /** Mapped files among other things; those that have been removed, too. */
  readonly maps: Buffer
}

/**
 * Whether `pid` was started by `ancestor`, itself or through others. Null where that cannot be seen
 * now. Only Linux tells: elsewhere everything but this process is taken for a descendant.
 */
export function isDescendant(pid: number, ancestor: number): boolean | null {
  if (pid === process.pid || pid === ancestor) return false
  if (process.platform !== 'linux') return true
  let at = pid
  for (let step = 0; step < MAX_ANCESTORS; step++) {
    const stat = readStat(at)
    if (typeof stat === 'string') return null
    if (stat.parentPid === ancestor) return true
    if (stat.parentPid <= 1) return false
    at = stat.parentPid
  }
  return false
}

/**
 * Pids of the processes of which `test` holds, this process excepted. Linux only; elsewhere there
 * are none.
 */
export function processesWhere(test: (evidence: ProcessEvidence) => boolean): Found {
  if (process.platform !== 'linux') return { pids: [], isWhole: true }
  const all = listPids()
  let isWhole = all !== null
  const pids = (all ?? []).filter((pid) => {
    if (pid === process.pid) return false
    const read = (file: string) => {
      const bytes = readProc(pid, file)
      if (bytes === 'unreadable') isWhole = false
      return typeof bytes === 'string' ? Buffer.alloc(0) : bytes
    }
    return test({
      get cmdline() {
        return read('cmdline')
      },
      get environ() {
        return read('environ')
      },
      get maps() {
        return read('maps')
      },
    })
  })
  return { pids, isWhole }
}

/** Every process and its parent, in one pass; none where they cannot be listed now. */
export function readParents(): Map<number, number> {
  const parents = new Map<number, number>()
  if (process.platform !== 'linux') {
    for (const entry of listProcesses()) parents.set(entry.pid, entry.parentPid)
    return parents
  }
  for (const pid of listPids() ?? []) {
    const stat = readStat(pid)
    if (typeof stat !== 'string') parents.set(pid, stat.parentPid)
  }
  return parents
}

/** Pids of all children, grandchildren and so on, nearest first; `pid` itself is not among them. */
export function descendantsOf(pid: number, parents: ReadonlyMap<number, number> = readParents()) {
  const children = new Map<number, number[]>()
  for (const [child, parent] of parents) {
    const siblings = children.get(parent)
    if (siblings) siblings.push(child)
    else children.set(parent, [child])
  }
  const found: number[] = []
  const seen = new Set([pid])
  let generation = [pid]
  while (generation.length > 0) {
    const next = generation
      .flatMap((parent) => children.get(parent) ?? [])
      .filter((child) => !seen.has(child))
    for (const child of next) seen.add(child)
    found.push(...next)
    generation = next
  }
  return found
}

/** The group a process is in, by its leader's pid. Null if unknown. */
export function groupOf(pid: number): number | null {
  return statOf(pid)?.groupId ?? null
}

/**
 * When a process started, in the kernel's ticks since boot. With the pid, it names a process for
 * ever. Null if unknown.
 */
export function startTimeOf(pid: number): string | null {
  return statOf(pid)?.startTime ?? null
}

/** What taskkill's exit code means: true for killed, false for gone. */
export function taskkillVerdict(pid: number, code: number | null): boolean {
  if (code === 0) return true
  if (code === TASKKILL_NOT_FOUND) return false
  throw new TroupeError('KILL_FAILED', `taskkill of process ${pid} ended with ${code}`)
}

function sendSignal(target: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(target, signal)
    return true
  } catch (cause) {
    const code = codeOf(cause)
    if (code === 'ESRCH') return false
    // macOS says EPERM of a group that has only zombies left.
    if (code === 'EPERM' && process.platform === 'darwin' && target < 0) return false
    const name = target < 0 ? `process group ${-target}` : `process ${target}`
    throw new TroupeError('KILL_FAILED', `${signal} to ${name} failed: ${code}`, { cause })
  }
}

function killTree(pid: number): boolean {
  const run = spawnSync('taskkill', ['/PID', String(pid), '/T', '/F'], {
    stdio: 'ignore',
    timeout: TASKKILL_TIMEOUT_MS,
    windowsHide: true,
  })
  return taskkillVerdict(pid, run.status)
}

/** A pid of 0, 1 or -1 would mean our own group, init, or everybody. */
function assertPid(pid: number): void {
  if (Number.isSafeInteger(pid) && pid > 1) return
  throw new TroupeError('INVARIANT_VIOLATED', `not the id of a process to signal: ${pid}`)
}

/** What the system says to a signal that is none. */
function signalLife(target: number): Life {
  try {
    process.kill(target, 0)
    return 'alive'
  } catch (error) {
    const code = codeOf(error)
    return code === 'ESRCH' ? 'dead' : code === 'EPERM' ? 'alive' : 'unknown'
  }
}

const isRunning = ({ state }: ProcessStat): boolean => state !== 'Z' && state !== 'X'

function statOf(pid: number): ProcessStat | null {
  if (process.platform !== 'linux') return null
  const stat = readStat(pid)
  return typeof stat === 'string' ? null : stat
}
