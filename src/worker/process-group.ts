/**
 * The operating system's processes: send a signal to a whole group, see who is alive, who belongs
 * to whom, who names a folder. Everything is synchronous, so that an `exit` handler can use it. It
 * never signals by name, and never waits.
 */
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { TroupeError } from '../errors.ts'
import { listProcesses } from './process-listing.ts'

const TASKKILL_TIMEOUT_MS = 5_000
const TASKKILL_NOT_FOUND = 128
/** Nobody starts a process through so many others. */
const MAX_ANCESTORS = 64

export interface ProcessStat {
  /** As R, S, D, T, Z or X. */
  readonly state: string
  readonly parentPid: number
  readonly groupId: number
  readonly startTime: string
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

/** True while the process runs. A zombie is dead: it holds nothing but its number. */
export function isAlive(pid: number): boolean {
  if (!Number.isSafeInteger(pid) || pid < 1) return false
  try {
    process.kill(pid, 0)
  } catch (error) {
    return codeOf(error) === 'EPERM'
  }
  if (process.platform !== 'linux') return true
  const state = readStat(pid)?.state
  return state !== undefined && state !== 'Z' && state !== 'X'
}

/** True while a process of the group runs, whether its leader still does or not. */
export function isGroupAlive(group: number): boolean {
  assertPid(group)
  try {
    process.kill(-group, 0)
  } catch (error) {
    return codeOf(error) === 'EPERM'
  }
  if (process.platform !== 'linux') return true
  return listPids().some((pid) => {
    const stat = readStat(pid)
    return stat?.groupId === group && stat.state !== 'Z' && stat.state !== 'X'
  })
}

/** Pids of the processes whose command line contains `text`, this process excepted. */
export function processesUnder(text: string): number[] {
  if (process.platform === 'linux') return processesWhere(({ cmdline }) => cmdline.includes(text))
  const matches = listProcesses().filter((entry) => entry.command.includes(text))
  return matches.map((entry) => entry.pid).filter((pid) => pid !== process.pid)
}

/** Pids of the browsers whose profile is exactly this folder. */
export function browsersOn(profile: string): number[] {
  // On Linux each argument ends in a NUL: worker-1.1 is not the beginning of worker-1.10.
  return processesUnder(`--user-data-dir=${profile}${process.platform === 'linux' ? '\0' : ''}`)
}

/**
 * What Linux tells of a process; each is read when it is asked for, and empty when it is not ours
 * to see.
 */
export interface ProcessEvidence {
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
    if (stat === null) return null
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
export function processesWhere(test: (evidence: ProcessEvidence) => boolean): number[] {
  if (process.platform !== 'linux') return []
  return listPids().filter((pid) => {
    if (pid === process.pid) return false
    const read = (file: string) => readProc(pid, file) ?? Buffer.alloc(0)
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
}

/** Every process and its parent, in one pass. */
export function readParents(): Map<number, number> {
  const parents = new Map<number, number>()
  if (process.platform !== 'linux') {
    for (const entry of listProcesses()) parents.set(entry.pid, entry.parentPid)
    return parents
  }
  for (const pid of listPids()) {
    const stat = readStat(pid)
    if (stat) parents.set(pid, stat.parentPid)
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
  return process.platform === 'linux' ? (readStat(pid)?.groupId ?? null) : null
}

/**
 * When a process started, in the kernel's ticks since boot. With the pid, it names a process for
 * ever. Null if unknown.
 */
export function startTimeOf(pid: number): string | null {
  return process.platform === 'linux' ? (readStat(pid)?.startTime ?? null) : null
}

/** Takes /proc/<pid>/stat apart. The name in parentheses may itself hold spaces and parentheses. */
export function parseStat(text: string): ProcessStat | null {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  const [state, parent, group] = fields
  const startTime = fields[19]
  if (state === undefined || startTime === undefined) return null
  return { state, parentPid: Number(parent), groupId: Number(group), startTime }
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

function listPids(): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => Number.isSafeInteger(pid) && pid > 0)
}

function readStat(pid: number) {
  const bytes = readProc(pid, 'stat')
  return bytes === null ? null : parseStat(bytes.toString('latin1'))
}

/** Null when the process is gone or not ours to read. */
function readProc(pid: number, file: string): Buffer | null {
  try {
    return readFileSync(`/proc/${pid}/${file}`)
  } catch {
    return null
  }
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? String(error)
}
