/**
 * Checks the traces in a folder while they are being written (G8), so that a run may be as long as one
 * likes: nothing is read twice, and a trace that can grow no more is removed. It writes nothing.
 */
import { closeSync, fstatSync, openSync, readdirSync, readSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { StringDecoder } from 'node:string_decoder'
import { TraceCheck } from '../../src/testing/conformance/conformance.ts'
import {
  type ConformanceReport,
  isSessionName,
  isTraceName,
  TraceTally,
} from '../../src/testing/conformance/trace-tally.ts'

/** A trace grows by 32 MiB at most before its older part is thrown away. */
const LOOK_EVERY_MS = 1_000
/** Who has written nothing for so long, and was killed or is without a pool, writes no more. */
const QUIET_MS = 10_000
const CHUNK_BYTES = 256 * 1024

const POOL = /^pool-(\d+)-/
/** With its pool and its slot, then the incarnation. */
const SESSION = /^(.*\.worker-\d+)\.(\d+)\.jsonl/

/** One file, read as far as it is written. A part that was renamed is the same file. */
class Reading {
  name: string
  readonly #file: number
  readonly #check = new TraceCheck()
  readonly #decoder = new StringDecoder()
  #rest = ''
  #grewMs = performance.now()

  constructor(file: number, name: string) {
    this.#file = file
    this.name = name
  }

  read(): void {
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES)
    for (;;) {
      const bytes = readSync(this.#file, chunk)
      if (bytes === 0) return
      this.#grewMs = performance.now()
      const lines = (this.#rest + this.#decoder.write(chunk.subarray(0, bytes))).split('\n')
      this.#rest = lines.pop() ?? ''
      for (const line of lines) this.#check.take(line)
    }
  }

  get isQuiet(): boolean {
    return performance.now() - this.#grewMs > QUIET_MS
  }

  /** Nothing goes on in what it tells of. */
  get isAtRest(): boolean {
    return this.#check.isEnded
  }

  /** No path leads to it any more. */
  get isUnlinked(): boolean {
    return fstatSync(this.#file).nlink === 0
  }

  end(): ConformanceReport {
    this.read()
    if (this.#rest !== '') this.#check.take(this.#rest)
    closeSync(this.#file)
    return this.#check.end()
  }
}

export class TraceWatch {
  readonly #folder: string
  readonly #isKept: boolean
  readonly #tally = new TraceTally()
  /** By inode. Each is held open, so that no other file gets its number. */
  readonly #readings = new Map<number, Reading>()
  /** Inodes of traces that were read to their end and kept. */
  readonly #kept = new Set<number>()
  readonly #timer: NodeJS.Timeout

  /** `isKept`: traces stay where they are, to be looked at. */
  constructor(folder: string, { isKept = false }: { readonly isKept?: boolean } = {}) {
    this.#folder = folder
    this.#isKept = isKept
    this.#timer = setInterval(() => this.#look(), LOOK_EVERY_MS).unref()
  }

  /** How many problems there were, those that the report leaves out too. */
  get differences(): number {
    return this.#tally.differences
  }

  /** Once everything is written. */
  end(): ConformanceReport {
    clearInterval(this.#timer)
    this.#look()
    for (const inode of this.#readings.keys()) this.#close(inode)
    return this.#tally.report()
  }

  #look(): void {
    this.#find()
    for (const reading of this.#readings.values()) reading.read()
    for (const [inode, reading] of this.#readings) {
      // The older part of a trace goes when there is one that is less old.
      if (reading.isUnlinked) this.#close(inode)
      else if (this.#isOver(reading)) this.#remove(inode, reading.name)
    }
  }

  /** Opens what is new, and learns the names of what was renamed. */
  #find(): void {
    for (const name of readdirSync(this.#folder).filter(isTraceName)) {
      const file = opened(join(this.#folder, name))
      if (file === null) continue
      const { ino } = fstatSync(file)
      const known = this.#readings.get(ino)
      if (known !== undefined) known.name = name
      if (known !== undefined || this.#kept.has(ino)) closeSync(file)
      else this.#readings.set(ino, new Reading(file, name))
    }
  }

  /** Nobody writes it any more. A slot may have a successor already while it still works. */
  #isOver({ name, isAtRest, isQuiet }: Reading): boolean {
    if (isQuiet && isGone(name)) return true
    const [, ofSlot, incarnation] = SESSION.exec(name) ?? []
    if (ofSlot === undefined || !(isAtRest || isQuiet)) return false
    return [...this.#readings.values()].some((other) => {
      const [, otherSlot, later] = SESSION.exec(other.name) ?? []
      return otherSlot === ofSlot && Number(later) > Number(incarnation)
    })
  }

  #remove(inode: number, name: string): void {
    this.#close(inode)
    if (this.#isKept) this.#kept.add(inode)
    else rmSync(join(this.#folder, name), { force: true })
  }

  #close(inode: number): void {
    const reading = this.#readings.get(inode)
    if (reading === undefined) return
    this.#readings.delete(inode)
    // A pool of this process has ended its trace; any other, and a worker, may have been killed.
    const isOwn = reading.name.startsWith(`pool-${process.pid}-`) && !isSessionName(reading.name)
    this.#tally.add(reading.name, reading.end(), { mayBreakOff: !isOwn })
  }
}

/** Null: it has just been renamed. */
function opened(path: string): number | null {
  try {
    return openSync(path, 'r')
  } catch {
    return null
  }
}

/** The process of the pool, by its number in the name. */
function isGone(name: string): boolean {
  const [, pid] = POOL.exec(name) ?? []
  if (pid === undefined) return false
  try {
    process.kill(Number(pid), 0)
    return false
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH'
  }
}
