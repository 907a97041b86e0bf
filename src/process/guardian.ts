/**
 * The guardian: a tiny shell that outlives the pool by half a second. It holds the end of a pipe
 * from the pool; when the pipe closes, the pool is dead, and the guardian kills the groups it was
 * told of and every browser with a profile in the run folder, and removes the folder. Released by a
 * word, it harms nothing. It never keeps the host alive.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { dirname, isAbsolute } from 'node:path'
import { TroupeError } from '../common/errors.ts'

/**
 * A line cut short by the pool's death is never acted on: `read` fails on it. dash knows `kill -9
 * "-PID"` but not `kill -9 -- -PID`. The ending slash keeps one run's path from being the beginning
 * of another's.
 */
const SCRIPT = `
trap '' INT TERM HUP
dir=$1
told=' '
without() {
  rest=' '
  for p in $told; do [ "$p" = "$1" ] || rest="$rest$p "; done
  told=$rest
}
while read -r verb pid; do
  case $verb in quit) exit 0 ;; esac
  case $pid in '' | *[!0-9]* | 0 | 1) continue ;; esac
  case $verb in
    +) case $told in *" $pid "*) ;; *) told="$told$pid " ;; esac ;;
    -) without "$pid" ;;
  esac
done
for p in $told; do kill -9 "-$p"; kill -9 "$p"; done
for round in 1 2 3 4 5; do
  if [ -d /proc/self ]; then
    for file in $(grep -lsF -e "--user-data-dir=$dir/" /proc/[0-9]*/cmdline); do
      p=\${file#/proc/}
      p=\${p%/cmdline}
      kill -9 "-$p"; kill -9 "$p"
    done
  else
    ps -axww -o pid=,command= | grep -F -e "--user-data-dir=$dir/" |
      while read -r p rest; do kill -9 "-$p"; kill -9 "$p"; done
  fi
  rm -rf "$dir"
  sleep 0.1 || sleep 1
done
`
/** Two pids for each of 100 workers, with room for those that are just being replaced. */
const MAX_WATCHED = 1_024
const MIN_RESPAWN_DELAY_MS = 50
const MAX_RESPAWN_DELAY_MS = 5_000
/** A guardian that lived this long was well: its successor comes at once. */
const HEALTHY_MS = 10_000
const QUIT_LIMIT_MS = 1_000

export interface Guardian {
  /** Null while there is none: between an end and the next start, after `stop`, and on Windows. */
  readonly pid: number | null
  /**
   * This process's group dies with the pool.
   *
   * @throws TroupeError INVARIANT_VIOLATED past 1,024 pids.
   */
  watch(pid: number): void
  /** The process has ended; its pid may belong to somebody else from now on. */
  release(pid: number): void
  /** Sends the guardian home. Resolves when it has ended; nothing is killed and nothing removed. */
  stop(): Promise<void>
}

export interface GuardianOptions {
  /** Told when a guardian ended that should not have. A successor is on its way. */
  readonly onLost?: (error: TroupeError) => void
}

/**
 * Starts the guardian of a run. On Windows it does nothing: there the children are in the pool's
 * job object.
 *
 * @throws TroupeError INVARIANT_VIOLATED when `runFolder` is not a folder one may remove.
 * @example
 * const guardian = startGuardian(run.path)
 * guardian.watch(child.pid)
 */
export function startGuardian(runFolder: string, options: GuardianOptions = {}): Guardian {
  if (!isAbsolute(runFolder) || dirname(dirname(runFolder)) === dirname(runFolder)) {
    throw new TroupeError('INVARIANT_VIOLATED', `not the path of a run folder: ${runFolder}`)
  }
  const watched = new Set<number>()
  let shell: ChildProcess | null = null
  let stopping: Promise<void> | null = null
  let respawnDelayMs = MIN_RESPAWN_DELAY_MS
  let respawn: NodeJS.Timeout | null = null

  function start(): void {
    const born = performance.now()
    let over = false
    const ended = (why: string) => {
      if (over) return
      over = true
      shell = null
      if (stopping) return
      const healthy = performance.now() - born >= HEALTHY_MS
      const next = healthy ? MIN_RESPAWN_DELAY_MS : respawnDelayMs
      respawnDelayMs = Math.min(next * 2, MAX_RESPAWN_DELAY_MS)
      respawn = setTimeout(start, next)
      respawn.unref()
      options.onLost?.(new TroupeError('INVARIANT_VIOLATED', `the guardian ended: ${why}`))
    }
    try {
      shell = spawnShell(runFolder)
    } catch (error) {
      ended((error as Error).message)
      return
    }
    for (const pid of watched) say(shell, `+ ${pid}`)
    shell.once('error', (error) => ended(error.message))
    shell.once('exit', (code, signal) => ended(signal ?? `code ${code}`))
  }

  async function stop(): Promise<void> {
    if (respawn) clearTimeout(respawn)
    const child = shell
    if (!child?.pid) return
    const exited = once(child, 'exit')
    child.ref()
    say(child, 'quit')
    const impatience = setTimeout(() => child.kill('SIGKILL'), QUIT_LIMIT_MS)
    await exited
    clearTimeout(impatience)
    watched.clear()
  }

  if (process.platform !== 'win32') start()
  return {
    get pid() {
      return shell?.pid ?? null
    },
    watch: (pid) => {
      if (stopping || watched.has(pid)) return
      if (watched.size >= MAX_WATCHED) {
        throw new TroupeError('INVARIANT_VIOLATED', `the guardian watches ${MAX_WATCHED} processes`)
      }
      watched.add(pid)
      if (shell) say(shell, `+ ${pid}`)
    },
    release: (pid) => {
      if (watched.delete(pid) && shell) say(shell, `- ${pid}`)
    },
    stop: () => {
      stopping ??= stop()
      return stopping
    },
  }
}

function spawnShell(runFolder: string): ChildProcess {
  const child = spawn('/bin/sh', ['-c', SCRIPT, 'troupe-guardian', runFolder], {
    // Its own session: a Ctrl-C at the terminal is not for it.
    detached: true,
    cwd: '/',
    env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin', LC_ALL: 'C' },
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  child.unref()
  const pipe = child.stdin as Socket | null
  pipe?.unref()
  // A guardian that is gone is dealt with on 'exit'.
  pipe?.on('error', () => undefined)
  return child
}

/**
 * Reaches the pipe before it returns, so that even a pool killed in the next instant has said it.
 */
function say(child: ChildProcess, line: string): void {
  if (child.stdin?.writable) child.stdin.write(`${line}\n`)
}
