/**
 * A trace on disk: lines, written in one go once a turn of the event loop, within a number of
 * bytes. When half of them are spent, what was written becomes the older part, and a new part
 * begins that stands by itself. A disk that refuses ends the trace, never the pool.
 */
import { closeSync, mkdirSync, openSync, renameSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'

/** Of both parts of a trace together. */
const TRACE_LIMIT_BYTES = 64 * 1024 * 1024
/** More than this is not kept back till the end of the turn. */
const MAX_BUFFERED = 256 * 1024

interface TraceFilePorts {
  /** What every part begins with. The first one is begun by the first line there is. */
  opening(isFirst: boolean): readonly string[]
  /** What a part ends with, if nothing is left unsaid in it. */
  closing(why: 'idle' | 'stopped' | 'continued'): string | null
  defer(callback: () => void): void
  problem(error: unknown): void
}

/** What is still to be written when the host ends. */
const open = new Set<TraceFile>()
const flushAll = () => {
  for (const file of open) file.flush()
}

export class TraceFile {
  readonly path: string
  readonly #ports: TraceFilePorts
  readonly #partBytes: number
  #descriptor: number | null = null
  #buffer: string[] = []
  #buffered = 0
  #written = 0
  #isFlushDue = false
  #isBegun = false
  #isOver = false

  constructor(path: string, ports: TraceFilePorts, limitBytes = TRACE_LIMIT_BYTES) {
    this.path = path
    this.#ports = ports
    this.#partBytes = Math.floor(limitBytes / 2)
  }

  write(line: string): void {
    if (this.#isOver) return
    if (this.#descriptor === null) this.#open()
    this.#buffer.push(line)
    this.#buffered += line.length + 1
    if (this.#buffered > MAX_BUFFERED) return this.#drain()
    if (this.#isFlushDue) return
    this.#isFlushDue = true
    this.#ports.defer(() => {
      this.#isFlushDue = false
      this.flush()
    })
  }

  /** Everything told so far is in the file afterwards. */
  flush(): void {
    if (this.#descriptor === null) return
    const isResting = this.#say('idle')
    this.#drain()
    if (this.#written >= this.#partBytes) this.#turn()
    if (isResting) this.#letGo()
  }

  close(): void {
    if (this.#descriptor !== null) {
      this.#say('stopped')
      this.#drain()
    }
    this.#end()
  }

  #say(end: 'idle' | 'stopped' | 'continued'): boolean {
    const last = this.#ports.closing(end)
    if (last !== null) this.#buffer.push(last)
    return last !== null
  }

  /** With the first line, so that a pool that never starts leaves no file; and after each rest. */
  #open(): void {
    try {
      mkdirSync(dirname(this.path), { recursive: true, mode: 0o700 })
      if (this.#isBegun) this.#descriptor = openSync(this.path, 'a')
      else this.#begin(true)
      if (open.size === 0) process.on('exit', flushAll)
      open.add(this)
    } catch (error) {
      this.#fail(error)
    }
  }

  #begin(isFirst: boolean): void {
    this.#isBegun = true
    this.#descriptor = openSync(this.path, 'w', 0o600)
    this.#written = 0
    this.#buffer = [...this.#ports.opening(isFirst)]
  }

  /** The part that is full becomes the older one. */
  #turn(): void {
    try {
      this.#say('continued')
      this.#drain()
      if (this.#descriptor !== null) closeSync(this.#descriptor)
      this.#descriptor = null
      renameSync(this.path, `${this.path}.old`)
      this.#begin(false)
      this.#say('idle')
      this.#drain()
    } catch (error) {
      this.#fail(error)
    }
  }

  #drain(): void {
    if (this.#descriptor === null || this.#buffer.length === 0) return
    const text = Buffer.from(`${this.#buffer.join('\n')}\n`)
    this.#buffer = []
    this.#buffered = 0
    try {
      for (let from = 0; from < text.length; ) {
        from += writeSync(this.#descriptor, text, from)
      }
      this.#written += text.length
    } catch (error) {
      this.#fail(error)
    }
  }

  #fail(error: unknown): void {
    this.#end()
    this.#ports.problem(error)
  }

  #end(): void {
    this.#isOver = true
    this.#buffer = []
    this.#letGo()
  }

  /** A pool at rest holds no file open. */
  #letGo(): void {
    const descriptor = this.#descriptor
    this.#descriptor = null
    open.delete(this)
    if (open.size === 0) process.off('exit', flushAll)
    if (descriptor !== null) closeSync(descriptor)
  }
}
