/**
 * One child process: forked into a group of its own, spoken to in frames, and confirmed gone before
 * anybody is told so. It never decides when to end: it does what the worker machine commands.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import type { Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import type { SerializedError, ExitStatus } from '../../machines/protocol.ts'
import { attemptAll, serializeError } from '../common/errors.ts'
import type { Clock } from '../common/clock.ts'
import { CHANNEL_FD, encodeMessage, MAX_MESSAGE_BYTES, MessageReader } from './ipc/channel.ts'
import { parseFrame } from './ipc/frame.ts'
import { isDescendant, killGroup } from './process-group.ts'
import { WORKER_INIT_VARIABLE, type WorkerInit, type Order } from './ipc/protocol.ts'
import { reapLeftovers } from './leftover-processes.ts'
import type { WorkerHandle, WorkerProcessEvents } from './worker-handle.ts'

/** After `exit`, how long the channel may still deliver what the child had sent. */
const LAST_STDERR_MS = 250
/** Of what a child printed on stderr, as much as explains a crash. */
const MAX_STDERR_TAIL = 4_096

const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
const ENTRY = fileURLToPath(new URL(`../child/entry.${extension}`, import.meta.url))
/** Flags of the parent that a child must not share: two cannot listen on one debugger port. */
const NOT_INHERITED =
  /^--(inspect|debug|prof|cpu-prof|heap-prof|test|watch|input-type|eval|print)|^-[ep]$/

/** Where no descriptor is left, there is a process object without any pipe. */
function channelOf(child: ChildProcess | null): Socket | null {
  const pipes = child?.stdio as readonly unknown[] | undefined
  return (pipes?.[CHANNEL_FD] as Socket | undefined) ?? null
}

export class WorkerProcess implements WorkerHandle {
  readonly init: WorkerInit
  readonly startedAtMs: number
  lastFrameAtMs = Number.POSITIVE_INFINITY
  browserPid: number | null = null
  profileFolder: string | null = null
  readonly #events: WorkerProcessEvents
  readonly #clock: Clock
  readonly #child: ChildProcess | null
  readonly #channel: Socket | null
  /** What it sent could not be believed: nothing it sends is read any more. */
  #isUnread = false
  #outbox: Order[] = []
  #stderrTail = ''
  #exit: ExitStatus | null = null
  #spawnError: SerializedError | null = null
  #isConfirmed = false

  constructor(init: WorkerInit, events: WorkerProcessEvents, clock: Clock) {
    this.init = init
    this.#events = events
    this.#clock = clock
    this.startedAtMs = clock.nowMs()
    this.#child = this.#spawn()
    this.#channel = channelOf(this.#child)
    if (this.#child !== null) this.#listen(this.#child)
  }

  get pid(): number | null {
    return this.#child?.pid ?? null
  }

  owns(pid: number): boolean | null {
    return this.pid === null ? false : isDescendant(pid, this.pid)
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

  #spawn(): ChildProcess | null {
    const flags = [
      ...process.execArgv.filter((flag) => !NOT_INHERITED.test(flag)),
      '--conditions=troupe-child',
      // A worker waits for its browser most of the time: one V8 helper thread saves 5 MB.
      '--v8-pool-size=1',
      '--disable-warning=ExperimentalWarning',
    ]
    try {
      return spawn(process.execPath, [...flags, ENTRY], {
        detached: process.platform !== 'win32',
        // The last is the channel. The child has none of Node's own, which tasks could speak through.
        stdio: ['ignore', 'pipe', 'pipe', process.platform === 'win32' ? 'overlapped' : 'pipe'],
        env: { ...process.env, [WORKER_INIT_VARIABLE]: JSON.stringify(this.init) },
      })
    } catch (error) {
      // spawn() throws for what the system refuses before there is a process (E2BIG, a bad option).
      this.#clock.defer(() => this.#noteExit({ code: null, signal: null }, error))
      return null
    }
  }

  #listen(child: ChildProcess): void {
    // What keeps the host alive is the pool's to say (`pool/host.ts`), not each of its children's.
    child.unref()
    for (const stream of [child.stdout, child.stderr]) (stream as Socket | null)?.unref()
    child.on('error', (error) => {
      if (child.pid === undefined) this.#noteExit({ code: null, signal: null }, error)
      else this.#events.trouble(`a signal could not be sent: ${error.message}`)
    })
    child.on('exit', (code, signal) => this.#noteExit({ code, signal }))
    for (const stream of [child.stdout, child.stderr]) stream?.on('error', () => undefined)
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#events.output('stdout', text)
    })
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderrTail = (this.#stderrTail + text).slice(-MAX_STDERR_TAIL)
      this.#events.output('stderr', text)
    })
    this.#listenToChannel()
  }

  #listenToChannel(): void {
    const channel = this.#channel
    if (channel === null) return
    channel.unref()
    const reader = new MessageReader((message) => this.#receive(message), MAX_MESSAGE_BYTES)
    channel.on('data', (chunk: Buffer) => {
      if (this.#isUnread) return
      try {
        reader.push(chunk)
      } catch (error) {
        this.#isUnread = true
        this.#events.violated(error)
      }
    })
    // Whatever was on its way is lost, and 'close' follows.
    channel.on('error', (error) => {
      if (this.#exit === null) this.#events.trouble(`the channel failed: ${error.message}`)
    })
    channel.on('close', () => this.#noteSilence())
  }

  get #isConnected(): boolean {
    return this.#channel !== null && !this.#channel.closed
  }

  #flush(): void {
    const channel = this.#channel
    if (this.#outbox.length === 0 || channel === null || !channel.writable) return
    const items = this.#outbox
    this.#outbox = []
    try {
      channel.write(encodeMessage({ incarnation: this.init.incarnation, items }))
    } catch (error) {
      // What cannot be serialized. It would be thrown at the event loop, and end the host.
      this.#events.unreachable(error)
    }
  }

  #receive(message: unknown): void {
    this.lastFrameAtMs = this.#clock.nowMs()
    this.#events.reports(parseFrame(message, this.init.incarnation).items)
  }

  #noteExit(exit: ExitStatus, error?: unknown): void {
    if (this.#exit !== null) return
    this.#exit = exit
    if (error !== undefined) this.#spawnError = serializeError(error, 'WORKER_START_FAILED')
    if (this.#isConnected) setTimeout(() => this.#confirm(), LAST_STDERR_MS)
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
    // Whoever still has the other end keeps no descriptor of this process.
    this.#channel?.destroy()
    const [error] = attemptAll([() => this.kill()])
    if (error !== undefined) this.#events.trouble(`what it left was not killed: ${String(error)}`)
    const exit = this.#exit
    reapLeftovers(this, () => this.#events.exited(exit, this.#spawnError ?? this.#lastStderr()))
  }

  #lastStderr(): SerializedError | null {
    const text = this.#stderrTail.trim()
    return text === '' ? null : { code: 'WORKER_LOST', message: text }
  }
}
