/**
 * What Linux tells of processes: the files of /proc. None of it throws: what is gone, what is not ours
 * to see and what cannot be read just now, as when all descriptors are in use, are told apart.
 */
import { readdirSync, readFileSync } from 'node:fs'

export interface ProcessStat {
  /** As R, S, D, T, Z or X. */
  readonly state: string
  readonly parentPid: number
  readonly groupId: number
  readonly startTime: string
}

/** Why there is nothing to read of a process. */
export type Unread = 'gone' | 'hidden' | 'unreadable'

/** Takes /proc/<pid>/stat apart. The name in parentheses may itself hold spaces and parentheses. */
export function parseStat(text: string): ProcessStat | null {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  const [state, parent, group] = fields
  const startTime = fields[19]
  if (state === undefined || startTime === undefined) return null
  return { state, parentPid: Number(parent), groupId: Number(group), startTime }
}

/** Null when they cannot be listed now. */
export function listPids(): number[] | null {
  try {
    const names = readdirSync('/proc')
    return names.map(Number).filter((pid) => Number.isSafeInteger(pid) && pid > 0)
  } catch {
    return null
  }
}

export function readStat(pid: number): ProcessStat | Unread {
  const bytes = readProc(pid, 'stat')
  return typeof bytes === 'string' ? bytes : (parseStat(bytes.toString('latin1')) ?? 'unreadable')
}

export function readProc(pid: number, file: string): Buffer | Unread {
  try {
    return readFileSync(`/proc/${pid}/${file}`)
  } catch (error) {
    const code = codeOf(error)
    if (code === 'ENOENT' || code === 'ESRCH') return 'gone'
    return code === 'EACCES' || code === 'EPERM' ? 'hidden' : 'unreadable'
  }
}

export function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? String(error)
}
