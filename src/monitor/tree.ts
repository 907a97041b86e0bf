/**
 * The memory of a worker's whole process tree. Exact: PSS, in which a shared page counts once,
 * divided among those who share it. Cheap: what the processes have for themselves, read in
 * microseconds. RSS sums lie and are never used.
 */
import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { descendantsOf, readParents } from '../process/process-group.ts'

interface TreeOptions {
  /**
   * PSS by smaps_rollup: about 1 ms a process. Default: anonymous and shared memory by status: 15
   * µs.
   */
  readonly exact?: boolean
  /** Of `readParents`, for a caller who asks for several trees. */
  readonly parents?: ReadonlyMap<number, number>
}

/**
 * Bytes of a process and all its descendants. Chromium is in a group of its own and is found as a
 * child. 0 when the process is gone, and everywhere but on Linux.
 *
 * @example
 * await readTreePss(child.pid, { exact: true })
 */
export async function readTreePss(pid: number, options: TreeOptions = {}): Promise<number> {
  if (process.platform !== 'linux') return 0
  const pids = [pid, ...descendantsOf(pid, options.parents ?? readParents())]
  return options.exact ? sumExact(pids) : sumCheap(pids)
}

/** From /proc/<pid>/status: RssAnon + RssShmem, in bytes. */
export function parseStatus(text: string): number {
  return kilobytes(text, 'RssAnon') + kilobytes(text, 'RssShmem')
}

/** From /proc/<pid>/smaps_rollup: Pss, in bytes. */
export function parseRollup(text: string): number {
  return kilobytes(text, 'Pss')
}

function sumCheap(pids: readonly number[]): number {
  let bytes = 0
  for (const pid of pids) {
    try {
      bytes += parseStatus(readFileSync(`/proc/${pid}/status`, 'latin1'))
    } catch (error) {
      rethrowUnlessGone(error)
    }
  }
  return bytes
}

/** In the thread pool: the kernel walks the process's pages, and the event loop need not wait. */
async function sumExact(pids: readonly number[]): Promise<number> {
  const sizes = pids.map(async (pid) => {
    try {
      return parseRollup(await readFile(`/proc/${pid}/smaps_rollup`, 'latin1'))
    } catch (error) {
      rethrowUnlessGone(error)
      return 0
    }
  })
  return (await Promise.all(sizes)).reduce((sum, bytes) => sum + bytes, 0)
}

function kilobytes(text: string, key: string): number {
  const match = new RegExp(`^${key}:\\s+(\\d+) kB$`, 'm').exec(text)
  return Number(match?.[1] ?? 0) * 1024
}

function rethrowUnlessGone(error: unknown): void {
  const code = (error as NodeJS.ErrnoException).code
  if (code !== 'ENOENT' && code !== 'ESRCH') throw error
}
