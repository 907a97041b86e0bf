/**
 * One child process: forked into a group of its own, spoken to in frames, and confirmed gone before
 * anybody is told so. It never decides when to end: it does what the worker machine commands.
 */
import { type ChildProcess, fork } from 'node:child_process'
import type { Socket } from 'node:net'
import type { ErrorFacts, ExitStatus } from '../../machines/vocabulary.ts'
import { toErrorFacts } from '../errors.ts'
import { parseFrame } from './frame.ts'
import { browsersOn, isAlive, killGroup } from './process-group.ts'
import { BIRTH_VARIABLE, type ChildBirth, type Order, type Report } from './protocol.ts'

/** After `exit`, how long the channel may still deliver what the child had sent. */
const LAST_WORDS_MS = 250
/** A killed browser is dead long before this; it is not waited for any longer. */
const BROWSER_DEATH_LIMIT_MS = 500
const BROWSER_DEATH_POLL_MS = 5
/** Of what a child printed on stderr, as much as explains a crash. */
const MAX_STDERR_TAIL = 4_096

const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
const ENTRY = new URL(`../child/entry.${extension}`, import.meta.url)
/** Flags of the parent that a child must not share: two cannot listen on one debugger port. */
const NOT_INHERITED =
  /^--(inspect|debug|prof|cpu-prof|heap-prof|test|watch|input-type|eval|print)|^-[ep]$/

export interface WorkerProcessEvents {
  reports(reports: readonly Report[]): void
  garbage(message: string): void
  output(stream: 'stdout' | 'stderr', text: string): void
  exited(exit: ExitStatus, error: ErrorFacts | null): void
}

export class WorkerProcess {
  readonly birth: ChildBirth
  readonly startedAt = Date.now()
  browserPid: number | null = null
  /** Before its first word it cannot fall silent: how long a start may take has a limit of its own. */
  lastFrameAt = Number.POSITIVE_INFINITY
  /** Where its browser keeps its profile: what still names it after the exit is killed. */
  profileFolder: string | null = null
  readonly #events: WorkerProcessEvents
  readonly #child: ChildProcess | null
  #outbox: Order[] = []
  #stderrTail = ''
  #exit: ExitStatus | null = null
  #spawnError: ErrorFacts | null = null
  #isConfirmed = false

  constructor(birth: ChildBirth, events: WorkerProcessEvents) {
    this.birth = birth
    this.#events = events
    this.#child = this.#fork()
  }

  get pid(): number | null {
    return this.#child?.pid ?? null
  }

  /** Orders of one turn of the event loop travel in one frame. */
  send(...orders: Order[]): void {
    if (this.#outbox.length === 0) setImmediate(() => this.#flush())
    this.#outbox.push(...orders)
  }

  /** For a turn's end that has come already: what is due now goes now. */
  sendNow(orders: readonly Order[]): void {
    this.#outbox.push(...orders)
    this.#flush()
  }

  terminate(): void {
    if (this.pid !== null) killGroup(this.pid, 'SIGTERM')
  }

  /** The worker's group and its browser's, stopped or not. */
  kill(): void {
    if (this.pid !== null) killGroup(this.pid, 'SIGKILL')
    if (this.browserPid !== null) killGroup(this.browserPid, 'SIGKILL')
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
      setImmediate(() => this.#noteExit({ code: null, signal: null }, error))
      return null
    }
  }

  #listen(child: ChildProcess): void {
    // What keeps the host alive is the pool's to say (`pool-host.ts`), not each of its children's.
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
    child.send({ incarnation: this.birth.incarnation, items }, (error) => {
      if (error) this.#events.garbage(`a frame could not be sent: ${error.message}`)
    })
  }

  #receive(message: unknown): void {
    this.lastFrameAt = Date.now()
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
    if (this.#exit === null) this.kill()
    else this.#confirm()
  }

  /** Its last words have been read. What it left running goes before anybody hears of its end. */
  #confirm(): void {
    if (this.#isConfirmed || this.#exit === null) return
    this.#isConfirmed = true
    this.kill()
    const left = new Set(this.profileFolder === null ? [] : browsersOn(this.profileFolder))
    for (const pid of left) killGroup(pid, 'SIGKILL')
    if (this.browserPid !== null) left.add(this.browserPid)
    this.#tellOnceGone(this.#exit, [...left], Date.now() + BROWSER_DEATH_LIMIT_MS)
  }

  /** A killed browser takes a moment to die, and till then it writes to the profile. */
  #tellOnceGone(exit: ExitStatus, left: readonly number[], limitAt: number): void {
    if (left.some(isAlive) && Date.now() < limitAt) {
      setTimeout(() => this.#tellOnceGone(exit, left, limitAt), BROWSER_DEATH_POLL_MS)
      return
    }
    this.#events.exited(exit, this.#spawnError ?? this.#lastWords())
  }

  #lastWords(): ErrorFacts | null {
    const text = this.#stderrTail.trim()
    return text === '' ? null : { code: 'WORKER_LOST', message: text }
  }
}
