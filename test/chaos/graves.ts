/**
 * The operating system's own word on what was killed: whether it is gone, and how long that took.
 * It reads /proc and folders, asks no pool, and ends nothing.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'

/** G3's own limit. */
export const GONE_WITHIN_MS = 2_000
const LOOK_EVERY_MS = 10

export interface OsProcess {
  readonly pid: number
  readonly parent: number
  /** With the pid it names a process for good. */
  readonly startedAt: string
  readonly command: string
}

export class Graves {
  orphanMsMax = 0
  readonly orphans: OsProcess[] = []
  readonly folders: string[] = []
  readonly #watches: Promise<void>[] = []

  /** From now on these have two seconds to be gone. */
  watchProcesses(processes: readonly OsProcess[]): void {
    this.watch(() => processes.filter(isLiving))
  }

  watch(find: () => readonly OsProcess[]): void {
    this.#watches.push(this.#reap(find))
  }

  /** A profile in any run folder below the root. */
  watchProfile(root: string, name: string): void {
    const find = () =>
      runsIn(root)
        .map((run) => `${root}/${run}/profiles/${name}`)
        .filter(existsSync)
    this.#watches.push(untilNothing(find).then(({ left }) => void this.folders.push(...left)))
  }

  /**
   * Of a root that may stay: no run folder may be in it. One half made, under its dot name, has a
   * minute's grace.
   */
  watchRuns(root: string): void {
    const gone = untilNothing(() => runsIn(root).map((name) => `${root}/${name}`))
    this.#watches.push(gone.then(({ left }) => void this.folders.push(...left)))
  }

  async settled(): Promise<void> {
    await Promise.all(this.#watches)
  }

  async #reap(find: () => readonly OsProcess[]): Promise<void> {
    const { left, tookMs } = await untilNothing(find)
    this.orphanMsMax = Math.max(this.orphanMsMax, tookMs)
    this.orphans.push(...left)
  }
}

export function runsIn(root: string): string[] {
  return readdirSync(root).filter((name) => !name.startsWith('.'))
}

async function untilNothing<T>(
  find: () => readonly T[],
): Promise<{ left: readonly T[]; tookMs: number }> {
  const startedMs = performance.now()
  for (;;) {
    const left = find()
    const tookMs = Math.round(performance.now() - startedMs)
    if (left.length === 0 || tookMs >= GONE_WITHIN_MS) return { left, tookMs }
    await delay(LOOK_EVERY_MS)
  }
}

/** A process with all that descends from it, itself first. */
export function treeOf(pid: number): OsProcess[] {
  const all = allProcesses()
  const tree = all.filter((found) => found.pid === pid)
  for (const parent of tree) tree.push(...all.filter((found) => found.parent === parent.pid))
  return tree
}

/** Those with a text on their command line or in their environment, this process excepted. */
export function processesNaming(text: string): OsProcess[] {
  return allProcesses().filter(
    ({ pid, command }) =>
      pid !== process.pid && (command.includes(text) || readProc(pid, 'environ').includes(text)),
  )
}

function isLiving({ pid, startedAt }: OsProcess): boolean {
  return processAt(pid)?.startedAt === startedAt
}

function allProcesses(): OsProcess[] {
  return readdirSync('/proc').flatMap((name) => {
    const found = /^\d+$/.test(name) ? processAt(Number(name)) : null
    return found === null ? [] : [found]
  })
}

/** Null when there is none, or only a zombie. */
function processAt(pid: number): OsProcess | null {
  const stat = readProc(pid, 'stat')
  const [state, parent, ...rest] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  if (!state || state === 'Z' || state === 'X') return null
  const command = readProc(pid, 'cmdline').replaceAll('\0', ' ')
  return { pid, parent: Number(parent), startedAt: rest[17] ?? '', command }
}

/** Empty when the process is gone. */
export function readProc(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'latin1')
  } catch {
    return ''
  }
}
