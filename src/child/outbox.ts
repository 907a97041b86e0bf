/**
 * What a child tells the pool. Reports gather for a tick and travel in one frame, stamped with the incarnation. While
 * the pipe is full nothing more is written, so a slow pool costs a child no memory but what its attempts hold.
 */
import { TroupeError, serializeError } from '../common/errors.ts'
import type { Frame, Report } from '../process/ipc/protocol.ts'

/** More log lines than this in one frame are counted, not sent. */
const MAX_LOGS_PER_FRAME = 200
/** A frame is cut where its results pass this. */
const MAX_FRAME_BYTES = 8 * 1024 * 1024

/** An attempt of which the outbox says that it started, unless it ends within the tick. */
interface Startable {
  readonly token: number
  readonly ended: boolean
}

/** The pipe to the pool, or what a test puts in its place. */
type SendFrame = (frame: Frame<Report>, written: () => void) => boolean

type Log = Extract<Report, { kind: 'log' }>
type Progress = Extract<Report, { kind: 'progress' }>
type Ended = Extract<Report, { kind: 'ended' }>

export class Outbox {
  readonly #incarnation: number
  readonly #send: SendFrame
  readonly #rssBytes: () => number
  #items: Report[] = []
  #starts: Startable[] = []
  readonly #progress = new Map<number, Progress>()
  #bytes = 0
  #logs = 0
  #dropped = 0
  #scheduled = false
  #blocked = false
  #drained: (() => void) | null = null
  readonly #flushLater = (): void => {
    this.#scheduled = false
    this.flush()
  }
  readonly #written = (): void => {
    this.#blocked = false
    if (!this.#isEmpty()) this.flush()
    if (this.#isEmpty() && !this.#blocked) this.#drained?.()
  }

  constructor(incarnation: number, send: SendFrame, rssBytes = process.memoryUsage.rss) {
    this.#incarnation = incarnation
    this.#send = send
    this.#rssBytes = rssBytes
  }

  /** Sends within the tick. `bytes` is the rough size of a result. */
  push(report: Report, bytes = 0): void {
    this.#items.push(report)
    this.#bytes += bytes
    this.#schedule()
  }

  /** Reported in the next frame, unless it has ended by then: its end then says all. */
  noteStart(attempt: Startable): void {
    this.#starts.push(attempt)
    this.#schedule()
  }

  ended(end: Omit<Ended, 'kind'>, bytes = 0): void {
    this.#progress.delete(end.token)
    this.push({ kind: 'ended', ...end }, bytes)
  }

  /** The last value of a tick wins. */
  noteProgress(token: number, progress: unknown): void {
    this.#progress.set(token, { kind: 'progress', token, progress })
    this.#schedule()
  }

  /** `token`: of the attempt that says it. */
  log(level: Log['level'], message: string, fields: Log['fields'] = {}, token?: number): void {
    this.#logs += 1
    if (this.#logs > MAX_LOGS_PER_FRAME) this.#dropped += 1
    else if (token === undefined) this.push({ kind: 'log', level, message, fields })
    else this.push({ kind: 'log', level, message, fields, token })
  }

  /** Sends at once what there is. */
  flush(): void {
    if (this.#blocked || this.#isEmpty()) return
    const items = this.#takeItems()
    if (this.#bytes <= MAX_FRAME_BYTES) this.#write(items)
    else for (const item of items) this.#write([item])
    this.#bytes = 0
  }

  /** Resolves once all is handed to the operating system. */
  drain(): Promise<void> {
    return new Promise((resolve) => {
      this.#drained = resolve
      this.push({ kind: 'heartbeat', rssBytes: this.#rssBytes() })
      this.flush()
    })
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(this.#flushLater)
  }

  #isEmpty(): boolean {
    return this.#items.length === 0 && this.#starts.length === 0 && this.#progress.size === 0
  }

  /** Starts come first, so that nothing is said of an attempt before its start. */
  #takeItems(): Report[] {
    const items: Report[] = []
    for (const { token, ended } of this.#starts) {
      if (!ended) items.push({ kind: 'started', token })
    }
    for (const progress of this.#progress.values()) items.push(progress)
    const all = items.length === 0 ? this.#items : items.concat(this.#items)
    if (this.#dropped > 0) all.push(lostLogs(this.#dropped))
    this.#items = []
    this.#starts = []
    this.#progress.clear()
    this.#logs = 0
    this.#dropped = 0
    return all
  }

  #write(items: readonly Report[]): void {
    if (items.length === 0) return
    try {
      if (!this.#send({ incarnation: this.#incarnation, items }, this.#written))
        this.#blocked = true
    } catch (error) {
      // The serializer has refused the frame and nothing of it was sent: find the item, and send the others.
      const [only] = items
      if (items.length > 1) for (const item of items) this.#write([item])
      else if (only) this.#write([substituteFor(only, error)])
    }
  }
}

function lostLogs(count: number): Log {
  const message = `${count} log lines were dropped: more than ${MAX_LOGS_PER_FRAME} in one tick.`
  return { kind: 'log', level: 'warn', message, fields: {} }
}

/** What is sent in place of an item that can't be. Holds nothing of the user's but strings. */
function substituteFor(item: Report, error: unknown): Report {
  if (item.kind === 'ended') {
    const refusal = new TroupeError(
      'PAYLOAD_INVALID',
      `the task's result could not be sent to the pool; return plain data, or write a file with artifact()`,
      { cause: error, retryable: false },
    )
    const { token, runMs } = item
    return { kind: 'ended', token, runMs, verdict: 'permanent', error: serializeError(refusal) }
  }
  const message = `a ${item.kind} report could not be sent to the pool`
  return { kind: 'log', level: 'warn', message, fields: {} }
}
