/**
 * What the operating system says of a process and everything below it (Linux, /proc). The bench's own eyes: it never
 * asks the pool how big it is.
 */
import { readdirSync, readFileSync } from 'node:fs'

const BYTES_PER_KB = 1_024

/** The process and all its descendants. */
export function processTree(root: number): number[] {
  const children = new Map<number, number[]>()
  for (const entry of readdirSync('/proc')) {
    const pid = Number(entry)
    const parent = Number.isInteger(pid) ? parentOf(pid) : null
    if (parent !== null) children.set(parent, [...(children.get(parent) ?? []), pid])
  }
  const tree = [root]
  for (const pid of tree) tree.push(...(children.get(pid) ?? []))
  return tree
}

/** Proportional set size: shared pages are split between those who share them, so sums are true. */
export function pssBytes(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + pssOf(pid), 0)
}

function parentOf(pid: number): number | null {
  const stat = readProc(pid, 'stat')
  // The name, in parentheses, may hold anything: the fields are counted from its end.
  const parent = Number(stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
  return Number.isInteger(parent) ? parent : null
}

function pssOf(pid: number): number {
  const match = /^Pss:\s+(\d+) kB/m.exec(readProc(pid, 'smaps_rollup') ?? '')
  return Number(match?.[1] ?? 0) * BYTES_PER_KB
}

/** Null when the process has ended meanwhile. */
function readProc(pid: number, file: string): string | null {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8')
  } catch {
    return null
  }
}
