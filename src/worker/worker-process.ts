/**
 * One child process: forked into a group of its own, spoken to in frames, and confirmed gone before
 * anybody is told so. It never decides when to end: it does what the worker machine commands.
 */
import { type ChildProcess, fork } from 'node:child_process'
import type { Socket } from 'node:net'
import type { ErrorFacts, ExitStatus } from '../../machines/vocabulary.ts'
import { attemptAll, toErrorFacts } from '../errors.ts'
import type { Clock } from '../ledger/ports.ts'
import { parseFrame } from './frame.ts'
import { killGroup } from './process-group.ts'
import { BIRTH_VARIABLE, type ChildBirth, type Order } from './protocol.ts'
import { buryRemains } from './remains.ts'
import type { WorkerHandle, WorkerProcessEvents } from './worker-handle.ts'

/** After `exit`, how long the channel may still deliver what the child had sent. */
const LAST_WORDS_MS = 250
/** Of what a child printed on stderr, as much as explains a crash. */
const MAX_STDERR_TAIL = 4_096

const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
const ENTRY = new URL(`../child/entry.${extension}`, import.meta.url)
/** Flags of the parent that a child must not share: two cannot listen on one debugger port. */
const NOT_INHERITED =
  /^--(inspect|debug|prof|cpu-prof|heap-prof|test|watch|input-type|eval|print)|^-[ep]$/

export class WorkerProcess implements WorkerHandle {
  readonly birth: ChildBirth
  readonly startedAtMs: number
  lastFrameAtMs = Number.POSITIVE_INFINITY
  browserPid: number | null = null
  profileFolder: string | null = null
  readonly #events: WorkerProcessEvents
  readonly #clock: Clock
  readonly #child: ChildProcess | null
  #outbox: Order[] = []
  #stderrTail = ''
  #exit: ExitStatus | null = null
  #spawnError: ErrorFacts | null = null
  #isConfirmed = false

  constructor(birth: ChildBirth, events: WorkerProcessEvents, clock: Clock) {
    this.birth = birth
    this.#events = events
    this.#clock = clock
    this.startedAtMs = clock.nowMs()
    this.#child = this.#fork()
  }

  get pid(): number | null {
    return this.#child?.pid ?? null
  }

  send(...orders: Order[]): void {
    if (this.#outbox.length === 0) this.#clock.defer(() => this.#flush())
    this.#outbox.push(...orders)
  }

  sendNow(orders: readonly Order[]): void {
    this.#outbox.push(...orders)
    this.#flush()
  }

  terminate(): void {
    if (this.pid !== null) killGroup(this.pid, 'SIGTERM')
  }

  /** The worker's group and its browser's, stopped or not. */
  kill(): void {
    const { pid, browserPid } = this
    const [error] = attemptAll([
      () => pid !== null && killGroup(pid, 'SIGKILL'),
      () => browserPid !== null && killGroup(browserPid, 'SIGKILL'),
    ])
    if (error === undefined) return
    this.#child?.kill('SIGKILL')
    throw error
  }

  #fork(): ChildProcess | null {
    try {
      const child = fork(ENTRY, [], {
        detached: process.platform !== 'win32',
        serialization: 'advanced',
        stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
        execArgv: [
          ...process.execArgv.filter((flag) => !NOT_INHERITED.test(flag)),
          '--conditions=troupe-child',
          // A worker waits for its browser most of the time: one V8 helper thread saves 5 MB.
          '--v8-pool-size=1',
          '--disable-warning=ExperimentalWarning',
        ],
        env: { ...process.env, [BIRTH_VARIABLE]: JSON.stringify(this.birth) },
      })
      this.#listen(child)
      return child
    } catch (error) {
      // fork() throws for what the system refuses before there is a process (E2BIG, a bad option).
      this.#clock.defer(() => this.#noteExit({ code: null, signal: null }, error))
      return null
    }
  }

  #listen(child: ChildProcess): void {
    // What keeps the host alive is the pool's to say (`pool/host.ts`), not each of its children's.
    child.unref()
    child.channel?.unref()
    for (const stream of [child.stdout, child.stderr]) (stream as Socket | null)?.unref()
    child.on('message', (message) => this.#receive(message))
    child.on('error', (error) => {
      if (child.pid === undefined) this.#noteExit({ code: null, signal: null }, error)
      else this.#events.garbage(`the channel failed: ${error.message}`)
    })
    child.on('exit', (code, signal) => this.#noteExit({ code, signal }))
    child.on('disconnect', () => this.#noteSilence())
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#events.output('stdout', text)
    })
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderrTail = (this.#stderrTail + text).slice(-MAX_STDERR_TAIL)
      this.#events.output('stderr', text)
    })
  }

  #flush(): void {
    const child = this.#child
    if (this.#outbox.length === 0 || child === null || !child.connected) return
    const items = this.#outbox
    this.#outbox = []
    try {
      child.send({ incarnation: this.birth.incarnation, items }, (error) => {
        if (error) this.#events.garbage(`a frame could not be sent: ${error.message}`)
      })
    } catch (error) {
      // What cannot be serialized. It would be thrown at the event loop, and end the host.
      this.#events.unreachable(error)
    }
  }

  #receive(message: unknown): void {
    this.lastFrameAtMs = this.#clock.nowMs()
    const frame = parseFrame(message)
    if (frame === null) return this.#events.garbage('a message was no frame')
    if (frame.incarnation !== this.birth.incarnation) {
      return this.#events.garbage(`a frame was stamped ${frame.incarnation}`)
    }
    this.#events.reports(frame.items)
  }

  #noteExit(exit: ExitStatus, error?: unknown): void {
    if (this.#exit !== null) return
    this.#exit = exit
    if (error !== undefined) this.#spawnError = toErrorFacts(error, 'WORKER_START_FAILED')
    if (this.#child?.connected === true) setTimeout(() => this.#confirm(), LAST_WORDS_MS)
    else this.#confirm()
  }

  /** The channel is closed: either it has exited, or it can no longer hear us and must. */
  #noteSilence(): void {
    if (this.#exit !== null) return this.#confirm()
    const [error] = attemptAll([() => this.kill()])
    if (error !== undefined) this.#events.unreachable(error)
  }

  /** Its last words have been read. What it left running goes before anybody hears of its end. */
  #confirm(): void {
    if (this.#isConfirmed || this.#exit === null) return
    this.#isConfirmed = true
    const [error] = attemptAll([() => this.kill()])
    if (error !== undefined) this.#events.garbage(`what it left was not killed: ${String(error)}`)
    const exit = this.#exit
    buryRemains(this, () => this.#events.exited(exit, this.#spawnError ?? this.#lastWords()))
  }

  #lastWords(): ErrorFacts | null {
    const text = this.#stderrTail.trim()
    return text === '' ? null : { code: 'WORKER_LOST', message: text }
  }
}
