/**
 * Processes for one task each: an empty environment, no IPC, a group of their own, a limit on time
 * and on output. When `run` settles, the process and its whole group are gone, whatever they did.
 * It says nothing of what they may touch: that is `sandbox.ts`.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import type { ExitStatus } from '../../machines/protocol.ts'
import { TroupeError } from '../common/errors.ts'
import { isGroupAlive, killGroup } from '../process/process-group.ts'

/** A killed group is gone long before this. */
export const GROUP_DEATH_LIMIT_MS = 2_000
const GROUP_DEATH_POLL_MS = 5
/** What still stands in the pipes of a process that has ended is read within this. */
const LAST_OUTPUT_MS = 500

export interface DisposableOrder {
  readonly program: string
  readonly args: readonly string[]
  /** Its standard input. */
  readonly input: string | Uint8Array
  readonly timeoutMs: number
  /** Kept of stdout, and of stderr; the rest is read and dropped. */
  readonly outputBytes: number
  /** What it may write to descriptor 3; more ends it. */
  readonly answerBytes: number
  readonly signal?: AbortSignal
}

export interface DisposableEnd {
  readonly exit: ExitStatus
  readonly stdout: Buffer
  readonly stderr: Buffer
  readonly truncated: boolean
  readonly answer: Buffer
  /** Why it was killed; null when it ended by itself. */
  readonly killedFor: 'timeout' | 'signal' | 'answer' | null
}

/** The disposable processes of one worker. */
export class Disposables {
  readonly #living = new Set<number>()

  /**
   * Runs one process to its end.
   *
   * @throws TroupeError WORKER_START_FAILED when it cannot be started, KILL_FAILED when it outlives
   * its SIGKILL.
   */
  async run(order: DisposableOrder): Promise<DisposableEnd> {
    const child = spawn(order.program, order.args, {
      detached: true,
      cwd: '/',
      env: {},
      stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
    })
    const { pid } = child
    if (pid === undefined) throw await startFailure(child, order.program)
    this.#living.add(pid)
    try {
      return await follow(child, pid, order)
    } finally {
      if (await hasVanished(pid)) this.#living.delete(pid)
    }
  }

  /** SIGKILL to every group, at once: for the end of the worker. */
  killAll(): void {
    for (const pid of this.#living) {
      try {
        killGroup(pid, 'SIGKILL')
      } catch {
        // One that may not be signalled must not save the others.
      }
    }
  }
}

async function follow(
  child: ChildProcess,
  pid: number,
  order: DisposableOrder,
): Promise<DisposableEnd> {
  let killedFor: DisposableEnd['killedFor'] = null
  const kill = (reason: DisposableEnd['killedFor']) => {
    killedFor ??= reason
    killGroup(pid, 'SIGKILL')
  }
  const stdout = new Intake(child.stdout, order.outputBytes)
  const stderr = new Intake(child.stderr, order.outputBytes)
  const answer = new Intake(child.stdio[3] as Readable, order.answerBytes, () => kill('answer'))
  const exited = exitOf(child)
  const timer = setTimeout(() => kill('timeout'), order.timeoutMs)
  const onAbort = () => kill('signal')
  order.signal?.addEventListener('abort', onAbort, { once: true })
  if (order.signal?.aborted === true) onAbort()
  feed(child.stdin, order.input)
  const exit = await exited
  clearTimeout(timer)
  order.signal?.removeEventListener('abort', onAbort)
  // What it left behind in its group goes with it.
  killGroup(pid, 'SIGKILL')
  const intakes = [stdout, stderr, answer]
  await Promise.race([Promise.all(intakes.map(({ ended }) => ended)), delay(LAST_OUTPUT_MS)])
  for (const { stream } of intakes) stream?.destroy()
  if (!(await hasVanished(pid))) {
    throw new TroupeError('KILL_FAILED', `the process group ${pid} outlives its SIGKILL`)
  }
  return {
    exit,
    stdout: stdout.bytes,
    stderr: stderr.bytes,
    truncated: stdout.isFull || stderr.isFull,
    answer: answer.bytes,
    killedFor,
  }
}

/** Reads a stream to its end, but keeps no more than `limit` bytes. */
class Intake {
  readonly stream: Readable | null
  readonly ended: Promise<void>
  isFull = false
  readonly #parts: Buffer[] = []
  #kept = 0

  constructor(stream: Readable | null, limit: number, onFull?: () => void) {
    this.stream = stream
    this.ended = new Promise((resolve) => {
      stream?.once('close', resolve)
      stream?.once('error', () => resolve())
    })
    stream?.on('data', (chunk: Buffer) => {
      const part = chunk.subarray(0, limit - this.#kept)
      this.#kept += part.length
      if (part.length > 0) this.#parts.push(part)
      if (part.length === chunk.length || this.isFull) return
      this.isFull = true
      onFull?.()
    })
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#parts)
  }
}

function feed(stdin: Writable | null, input: string | Uint8Array): void {
  // It need not read what it is given.
  stdin?.on('error', () => undefined)
  stdin?.end(input)
}

function exitOf(child: ChildProcess): Promise<ExitStatus> {
  return new Promise((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }))
  })
}

async function startFailure(child: ChildProcess, program: string): Promise<TroupeError> {
  const cause = await new Promise<Error>((resolve) => child.once('error', resolve))
  const message = `${program} could not be started: ${cause.message}`
  return new TroupeError('WORKER_START_FAILED', message, { cause, retryable: true })
}

async function hasVanished(group: number): Promise<boolean> {
  const deadline = performance.now() + GROUP_DEATH_LIMIT_MS
  while (isGroupAlive(group)) {
    if (performance.now() > deadline) return false
    await delay(GROUP_DEATH_POLL_MS)
  }
  return true
}
