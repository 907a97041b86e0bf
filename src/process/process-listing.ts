/**
 * The list of processes where there is no /proc: by `ps` on macOS, by PowerShell on Windows. Slow,
 * and only asked for where nothing else tells.
 */
import { spawnSync } from 'node:child_process'

const LISTING_TIMEOUT_MS = 5_000
const LISTING_MAX_BYTES = 16 * 1024 * 1024

interface ProcessEntry {
  readonly pid: number
  readonly parentPid: number
  readonly command: string
}

/** Every process of the system. Empty when the system does not tell. */
export function listProcesses(): ProcessEntry[] {
  const windows = process.platform === 'win32'
  const script =
    'Get-CimInstance Win32_Process | ' +
    'ForEach-Object { "$($_.ProcessId) $($_.ParentProcessId) $($_.CommandLine)" }'
  const [command, args] = windows
    ? ['powershell', ['-NoProfile', '-NonInteractive', '-Command', script]]
    : ['ps', ['-axww', '-o', 'pid=,ppid=,command=']]
  const run = spawnSync(command as string, args as string[], {
    encoding: 'utf8',
    timeout: LISTING_TIMEOUT_MS,
    maxBuffer: LISTING_MAX_BYTES,
    windowsHide: true,
  })
  return parseListing(run.stdout ?? '')
}

/** Takes lines of `pid ppid command` apart. */
export function parseListing(text: string): ProcessEntry[] {
  const entries: ProcessEntry[] = []
  for (const line of text.split(/\r?\n/)) {
    const match = /^\s*(\d+)\s+(\d+)\s*(.*)$/.exec(line)
    if (!match) continue
    entries.push({ pid: Number(match[1]), parentPid: Number(match[2]), command: match[3] ?? '' })
  }
  return entries
}
