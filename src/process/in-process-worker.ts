/**
 * A worker without a process of its own: the same child, in the pool's own process. What travels
 * between the two is serialized as a pipe would, so that nothing is shared that would not be, and the
 * outcomes are the same. What cannot be the same: there is no process to kill, so code that ignores
 * its abort signal runs on, and an exception that nobody catches is the host's.
 */
import { deserialize, serialize } from 'node:v8'
import type { ExitStatus } from '../../machines/protocol.ts'
import { serializeError, TroupeError } from '../common/errors.ts'
import type { Clock } from '../common/clock.ts'
import { parseFrame } from './ipc/frame.ts'
import { isDescendant, killGroup } from './process-group.ts'
import type { WorkerInit, Frame, Order, Report } from './ipc/protocol.ts'
import { reapLeftovers } from './leftover-processes.ts'
import type { WorkerHandle, WorkerProcessEvents } from './worker-handle.ts'

/** What the child is given to live on. */
export interface Wire {
  /** @throws as a pipe does, for what cannot be serialized. */
  send(frame: Frame<Report>, written: () => void): boolean
  exit(exit: ExitStatus): void
  /** The code of so many attempts runs on, and nothing can stop it. */
  abandon(attempts: number): void
}

/** The child's end of the wire. */
export interface InProcessChild {
  receive(frame: Frame<Order>): void
  /** Ends what it has started, and drops the rest. */
  die(): void
}

type StartChild = (init: WorkerInit, wire: Wire) => InProcessChild

const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
const CHILD = new URL(`../child/in-process.${extension}`, import.meta.url)
const KILLED: ExitStatus = { code: null, signal: 'SIGKILL' }

export class InProcessWorker implements WorkerHandle {
  readonly init: WorkerInit
  readonly pid = null
  readonly startedAtMs: number
  lastFrameAtMs = Number.POSITIVE_INFINITY
  browserPid: number | null = null
  profileFolder: string | null = null
  readonly #events: WorkerProcessEvents
  readonly #clock: Clock
  #child: InProcessChild | null = null
  #orders: Order[] = []
  #exit: ExitStatus | null = null
  /** What it sent could not be believed. */
  #isUnread = false

  constructor(init: WorkerInit, events: WorkerProcessEvents, clock: Clock) {
    this.init = init
    this.#events = events
    this.#clock = clock
    this.startedAtMs = clock.nowMs()
    void this.#begin()
  }

  owns(pid: number): boolean | null {
    return isDescendant(pid, process.pid)
  }

  send(...orders: Order[]): void {
    if (this.#orders.length === 0) this.#clock.defer(() => this.#flush())
    this.#orders.push(...orders)
  }

  sendNow(orders: readonly Order[]): void {
    this.send(...orders)
  }

  /** There is no gentler way: a signal would be the host's. */
  terminate(): void {
    this.kill()
  }

  kill(): void {
    this.#child?.die()
    if (this.browserPid !== null) killGroup(this.browserPid, 'SIGKILL')
    this.#end(KILLED)
  }

  async #begin(): Promise<void> {
    try {
      const { startChild } = (await import(CHILD.href)) as { readonly startChild: StartChild }
      if (this.#exit !== null) return
      this.#child = startChild(this.init, {
        send: (frame, written) => this.#carry(frame, written),
        exit: (exit) => this.#end(exit),
        abandon: (attempts) => this.#events.trouble(abandoned(attempts)),
      })
      this.#flush()
    } catch (error) {
      this.#end({ code: null, signal: null }, error)
    }
  }

  #flush(): void {
    if (this.#child === null || this.#exit !== null || this.#orders.length === 0) return
    const items = this.#orders
    this.#orders = []
    const { incarnation } = this.init
    try {
      this.#child.receive(deserialize(serialize({ incarnation, items })) as Frame<Order>)
    } catch (error) {
      // Where it has a process of its own, that would end of it.
      this.#events.unreachable(error)
    }
  }

  #carry(frame: Frame<Report>, written: () => void): boolean {
    const bytes = serialize(frame)
    this.#clock.defer(() => {
      written()
      if (this.#exit !== null || this.#isUnread) return
      this.lastFrameAtMs = this.#clock.nowMs()
      try {
        this.#events.reports(parseFrame(deserialize(bytes), this.init.incarnation).items)
      } catch (error) {
        this.#isUnread = true
        this.#events.violated(error)
      }
    })
    return true
  }

  /** Told later, as the end of a process is: whoever kills has not finished speaking. */
  #end(exit: ExitStatus, error?: unknown): void {
    if (this.#exit !== null) return
    const failure = error === undefined ? null : serializeError(error, 'WORKER_START_FAILED')
    this.#clock.defer(() => {
      this.#exit = exit
      reapLeftovers(this, () => this.#events.exited(exit, failure))
    })
  }
}

function abandoned(attempts: number): string {
  const what = attempts === 1 ? 'a task that ignores' : `${attempts} tasks that ignore`
  const error = new TroupeError(
    'KILL_FAILED',
    `the code of ${what} its abort signal runs on: without a process of its own it cannot be killed`,
  )
  return `${error.code}: ${error.message}`
}
