/**
 * Counts what a run leaves behind, by asking the operating system: the processes that came from
 * this one and the folders under the run's root. It reads /proc (Linux), asks no pool for its
 * books, and never ends or removes what it finds.
 *
 * A process is ours when it descends from this one, is in a process group or session of one that
 * does, carries this process's mark in its environment, or has the run's root on its command line or
 * in its memory map. Orphans change their parent, and Chromium wipes the environment of its helpers:
 * it takes all of these, and a look now and then while the run is on.
 */
import { randomUUID } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

const MARK_VARIABLE = 'TROUPE_CENSUS'
const LOOK_EVERY_MS = 250
const POLL_EVERY_MS = 20
const EMPTY_LOOKS = 2

export interface ProcessFacts {
  readonly pid: number
  readonly parent: number
  readonly group: number
  readonly session: number
  /** In clock ticks since boot. With the pid it names a process for good. */
  readonly startedAt: string
  readonly command: string
}

export interface Leftovers {
  readonly processes: readonly ProcessFacts[]
  /** Absolute paths. */
  readonly folders: readonly string[]
}

/** What was there when it was taken, and every process of ours seen since. */
export interface Census extends Disposable {
  /** Pass it as the pool's `runFolder`: whatever is in it after the run was left behind. */
  readonly root: string
  /** Looks for new processes. It also happens by itself, four times a second. */
  look(): void
  /** Every process of ours seen so far, whether it still lives or not. */
  seen(): readonly ProcessFacts[]
  leftBehind(): Leftovers
  /** Ends the looking and removes the root, if the census made it. */
  [Symbol.dispose](): void
}

/** One mark a process: its children inherit the marks of all their ancestors. */
const mark = randomUUID()

/**
 * Takes a census of this machine and keeps looking until it is disposed of.
 *
 * @param options.root Folder that will hold the run folders. Default: a new one.
 * @example
 * using census = takeCensus()
 * await runPool({ runFolder: census.root })
 * console.log(await leftAfter(census, { withinMs: 2_000 }))
 */
export function takeCensus(options: { readonly root?: string } = {}): Census {
  const root = options.root ?? mkdtempSync(join(tmpdir(), 'census-'))
  const marks = process.env[MARK_VARIABLE] ?? ''
  if (!marks.includes(mark)) process.env[MARK_VARIABLE] = `${marks} ${mark}`.trimStart()

  const strangers = new Set<string>()
  const strangeGroups = new Set<number>()
  for (const found of listProcesses()) {
    strangers.add(keyOf(found))
    strangeGroups.add(found.group).add(found.session)
  }
  const ours = new Map<string, ProcessFacts>()

  const isOurs = (found: ProcessFacts, pids: ReadonlySet<number>, groups: ReadonlySet<number>) =>
    pids.has(found.parent) ||
    groups.has(found.group) ||
    groups.has(found.session) ||
    found.command.includes(root) ||
    readProcessFile(found.pid, 'environ').includes(mark) ||
    readProcessFile(found.pid, 'maps').includes(root)

  /** Notes what is new and returns everything of ours that lives. */
  const look = (): readonly ProcessFacts[] => {
    const living = listProcesses()
    const fresh = new Set(
      living.filter((found) => !ours.has(keyOf(found)) && !strangers.has(keyOf(found))),
    )
    const pids = new Set([process.pid])
    const groups = new Set<number>()
    const adopt = (found: ProcessFacts) => {
      pids.add(found.pid)
      for (const id of [found.group, found.session]) if (!strangeGroups.has(id)) groups.add(id)
    }
    for (const found of living) {
      if (!ours.has(keyOf(found))) continue
      // A fork that was seen before it began its own program had its parent's command line.
      ours.set(keyOf(found), found)
      adopt(found)
    }
    for (let before = -1; before !== fresh.size; ) {
      before = fresh.size
      for (const found of fresh) {
        if (!isOurs(found, pids, groups)) continue
        fresh.delete(found)
        ours.set(keyOf(found), found)
        adopt(found)
      }
    }
    // In the moment of its exec a process has no command line, no environment and no map.
    for (const found of fresh) if (found.command !== '') strangers.add(keyOf(found))
    return living.filter((found) => ours.has(keyOf(found)))
  }

  const timer = setInterval(look, LOOK_EVERY_MS).unref()
  return {
    root,
    look,
    seen: () => [...ours.values()],
    leftBehind: () => ({ processes: look(), folders: listFolder(root) }),
    [Symbol.dispose]: () => {
      clearInterval(timer)
      if (options.root === undefined) rmSync(root, { recursive: true, force: true })
    },
  }
}

/** What is left once nothing is, or else when `withinMs` have passed. */
export async function leftAfter(
  census: Census,
  { withinMs }: { readonly withinMs: number },
): Promise<Leftovers> {
  const deadline = performance.now() + withinMs
  // Twice in a row: what is in its exec at the one look is not at the next.
  for (let emptyLooks = 0; ; ) {
    const left = census.leftBehind()
    emptyLooks = left.processes.length + left.folders.length === 0 ? emptyLooks + 1 : 0
    if (emptyLooks === EMPTY_LOOKS || performance.now() >= deadline) return left
    await delay(POLL_EVERY_MS)
  }
}

function keyOf({ pid, startedAt }: ProcessFacts): string {
  return `${pid}@${startedAt}`
}

/** Every living process. A zombie is dead: only its entry waits for its parent to look. */
function listProcesses(): readonly ProcessFacts[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  return pids.flatMap((name) => {
    const pid = Number(name)
    const stat = readProcessFile(pid, 'stat')
    // The name in parentheses may itself hold blanks and parentheses.
    const [state, parent, group, session, ...rest] = stat
      .slice(stat.lastIndexOf(')') + 2)
      .split(' ')
    if (!state || state === 'Z' || state === 'X') return []
    const command = readProcessFile(pid, 'cmdline').replaceAll('\0', ' ').trimEnd()
    return {
      pid,
      parent: Number(parent),
      group: Number(group),
      session: Number(session),
      startedAt: rest[15] ?? '',
      command,
    }
  })
}

/** Empty when the process is gone, or is not ours to read. */
function readProcessFile(pid: number, file: 'stat' | 'cmdline' | 'environ' | 'maps'): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'latin1')
  } catch {
    return ''
  }
}

function listFolder(folder: string): string[] {
  try {
    return readdirSync(folder).map((name) => join(folder, name))
  } catch {
    return []
  }
}
