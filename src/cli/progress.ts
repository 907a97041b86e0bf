/**
 * Shows on stderr how a run goes: one line that is redrawn on a terminal, a plain line now and then
 * elsewhere. Notes are printed above the line. It never writes to stdout.
 */
import { stripVTControlCharacters } from 'node:util'
import type { PoolStatus, WorkerStatus } from '../api/status.ts'
import type { Tally } from './tally.ts'

const REDRAW_MS = 200
const PLAIN_LINE_MS = 10_000
/** More workers than this are shown as counts. */
const MAX_WORKERS_SHOWN = 8
const DEFAULT_COLUMNS = 80
const CLEAR_LINE = '\r\x1b[2K'

interface Terminal {
  write(text: string): unknown
  readonly isTTY?: boolean
  readonly columns?: number
}

export class Progress {
  readonly #terminal: Terminal
  readonly #line: () => string
  readonly #live: boolean
  readonly #quiet: boolean
  #timer: NodeJS.Timeout | null = null
  #drawn = false

  /** @param line makes the present line; called at each redraw. */
  constructor(terminal: Terminal, line: () => string, quiet: boolean) {
    this.#terminal = terminal
    this.#line = line
    this.#quiet = quiet
    this.#live = terminal.isTTY === true && process.env.TERM !== 'dumb'
  }

  start(): void {
    if (this.#quiet || this.#timer) return
    this.#timer = setInterval(() => this.#draw(), this.#live ? REDRAW_MS : PLAIN_LINE_MS)
    this.#timer.unref()
    if (this.#live) this.#draw()
  }

  /** Prints lines that stay, above the one that is redrawn. Shown even when quiet. */
  note(text: string): void {
    this.#clear()
    this.#terminal.write(`${safeText(text)}\n`)
    if (this.#timer && this.#live) this.#draw()
  }

  /** Ends the redrawing; on a terminal the last line stays. */
  stop(): void {
    if (!this.#timer) return
    clearInterval(this.#timer)
    this.#timer = null
    if (this.#live) this.#draw()
    if (this.#drawn) this.#terminal.write('\n')
    this.#drawn = false
  }

  #draw(): void {
    const line = this.#line()
    if (!this.#live) {
      this.#terminal.write(`${line}\n`)
      return
    }
    const columns = (this.#terminal.columns || DEFAULT_COLUMNS) - 1
    this.#terminal.write(CLEAR_LINE + cut(line, columns))
    this.#drawn = true
  }

  #clear(): void {
    if (this.#drawn) this.#terminal.write(CLEAR_LINE)
    this.#drawn = false
  }
}

/** `34/60 done · 2 failed · 4.1/s · ETA 0:06 · w1 busy, w2 idle`. */
export function progressLine(tally: Tally, pool: PoolStatus | null, nowMs: number): string {
  const done = tally.ended + tally.skipped
  const remaining = tally.remainingMs(nowMs)
  const parts = [
    tally.total === null ? `${done} done` : `${done}/${tally.total} done`,
    `${tally.failed} failed`,
    `${rateText(tally.rate(nowMs))}/s`,
  ]
  if (tally.total !== null) parts.push(`ETA ${remaining === null ? '–' : clockText(remaining)}`)
  if (pool) parts.push(workersText(pool.workers))
  return parts.join(' · ')
}

export function rateText(rate: number): string {
  return rate >= 100 || rate === 0 ? String(Math.round(rate)) : rate.toFixed(1)
}

/** `0:06`, `12:30`, `1:02:03`. */
export function clockText(ms: number): string {
  const seconds = Math.round(ms / 1_000)
  const hours = Math.floor(seconds / 3_600)
  const minutes = Math.floor((seconds % 3_600) / 60)
  const tail = String(seconds % 60).padStart(2, '0')
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, '0')}:${tail}` : `${minutes}:${tail}`
}

function workersText(workers: readonly WorkerStatus[]): string {
  if (workers.length <= MAX_WORKERS_SHOWN) {
    const each = workers.map(({ slot, state }) => `w${slot.replace(/^\D+/, '')} ${lastPart(state)}`)
    return each.join(', ')
  }
  const counts = new Map<string, number>()
  for (const { state } of workers) {
    counts.set(lastPart(state), (counts.get(lastPart(state)) ?? 0) + 1)
  }
  return [...counts].map(([state, count]) => `${count} ${state}`).join(', ')
}

function lastPart(state: string): string {
  return state.slice(state.lastIndexOf('.') + 1)
}

function cut(line: string, columns: number): string {
  return line.length <= columns ? line : `${line.slice(0, Math.max(0, columns - 1))}…`
}

/** A task's error message must not steer the terminal. */
export function safeText(text: string): string {
  return stripVTControlCharacters(text).replace(/(?![\n\t])\p{Cc}/gu, '?')
}
