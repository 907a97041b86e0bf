/**
 * Time that stands still until it is moved, and then jumps to what is due next: the same moves give
 * the same calls in the same order. What sets timers has a scope; a scope that ends takes its timers
 * with it, as a process does that dies. Never XState's SimulatedClock, and never the real time.
 */
import type { AsyncResource } from 'node:async_hooks'
import type { Clock, Timers } from '../../common/clock.ts'

const LEAST_TIDIED = 256

/** A timer or a deferred call, until it is made or taken back. */
export interface VirtualTimer {
  readonly scope: Scope
  readonly callback: () => void
  atMs: number
  /** Decides between those due at the same time: first set, first called. */
  order: number
  /** 0: once. */
  readonly everyMs: number
  isSet: boolean
}

/** Whose timers they are. */
export class Scope implements Clock, Timers {
  readonly name: string
  readonly #clock: VirtualClock
  readonly #set = new Set<VirtualTimer>()
  #isOver = false
  #isFrozen = false
  #suspended: VirtualTimer[] = []
  /** What its code does reaches those outside by calls of their own only, as by a pipe. */
  isEnclosed = false
  /** By which code runs as the scope's own: see virtual-time.ts. */
  resource: AsyncResource | null = null
  /** Put around every call of this scope. */
  enter: (callback: () => void) => void = (callback) => callback()

  constructor(name: string, clock: VirtualClock) {
    this.name = name
    this.#clock = clock
  }

  /** Timers set and neither called nor taken back. */
  get timers(): number {
    return this.#set.size
  }

  get isOver(): boolean {
    return this.#isOver
  }

  /** Bound: a clock's reading is handed around. */
  readonly nowMs = (): number => this.#clock.nowMs()

  after(ms: number, callback: () => void): () => void {
    const timer = this.#add(ms, callback, 0)
    return () => this.#drop(timer)
  }

  defer(callback: () => void): void {
    if (!this.#isOver) this.#clock.put(this.#timer(callback, 0), null)
  }

  setTimeout(callback: () => void, ms: number): VirtualTimer {
    return this.#add(ms, callback, 0)
  }

  setInterval(callback: () => void, ms: number): VirtualTimer {
    return this.#add(ms, callback, Math.max(1, ms))
  }

  clearTimeout(timer: VirtualTimer | null | undefined): void {
    if (timer) this.#drop(timer)
  }

  /** Nothing of it is called any more; what comes due meanwhile is called when it thaws. */
  freeze(): void {
    this.#isFrozen = true
  }

  thaw(): void {
    this.#isFrozen = false
    for (const timer of this.#suspended.splice(0)) this.#clock.put(timer, 0)
  }

  /** None of its timers is called any more, and none can be set. */
  end(): void {
    this.#isOver = true
    for (const timer of this.#set) timer.isSet = false
    this.#set.clear()
  }

  /** For the clock: the call that is due, or nothing. */
  fire(timer: VirtualTimer): void {
    if (!timer.isSet || this.#isOver) return
    if (this.#isFrozen) return void this.#suspended.push(timer)
    if (timer.everyMs > 0) this.#clock.put(timer, timer.everyMs)
    else this.#set.delete(timer)
    timer.isSet = timer.everyMs > 0
    this.enter(timer.callback)
  }

  #add(ms: number, callback: () => void, everyMs: number): VirtualTimer {
    const timer = this.#timer(callback, everyMs)
    if (this.#isOver) return Object.assign(timer, { isSet: false })
    this.#set.add(timer)
    this.#clock.put(timer, Math.max(Number.isFinite(ms) ? ms : 0, 0))
    return timer
  }

  #timer(callback: () => void, everyMs: number): VirtualTimer {
    return { scope: this, callback, atMs: 0, order: 0, everyMs, isSet: true }
  }

  #drop(timer: VirtualTimer): void {
    timer.isSet = false
    this.#set.delete(timer)
  }
}

export class VirtualClock {
  /** Calls made so far. */
  calls = 0
  /** Whose the last call was; null before the first. */
  caller: Scope | null = null
  #nowMs = 0
  #order = 0
  #heap: VirtualTimer[] = []
  /** At this length the timers that were taken back are taken out: some would be due in weeks. */
  #tidyAt = LEAST_TIDIED
  #deferred: VirtualTimer[] = []
  #nextDeferred = 0

  nowMs(): number {
    return Math.floor(this.#nowMs)
  }

  scope(name: string): Scope {
    return new Scope(name, this)
  }

  /** Timers it holds, those that were taken back and are not yet forgotten included. */
  get held(): number {
    return this.#heap.length
  }

  /** When the next call is due, in ms; Infinity when there is none. */
  get nextAtMs(): number {
    if (this.#nextDeferred < this.#deferred.length) return this.#nowMs
    this.#dropUnset()
    return this.#heap[0]?.atMs ?? Number.POSITIVE_INFINITY
  }

  /** Makes the next call; time moves to it. False when there is none by `limitMs`. */
  step(limitMs: number = Number.POSITIVE_INFINITY): boolean {
    const deferred = this.#takeDeferred()
    if (deferred !== null) {
      this.#make(deferred)
      return true
    }
    this.#dropUnset()
    const top = this.#heap[0]
    if (top === undefined || top.atMs > limitMs) return false
    this.#pop()
    this.#nowMs = Math.max(this.#nowMs, top.atMs)
    this.#make(top)
    return true
  }

  #make(timer: VirtualTimer): void {
    this.calls++
    this.caller = timer.scope
    timer.scope.fire(timer)
  }

  /** Time passes although nothing is due. */
  moveTo(atMs: number): void {
    this.#nowMs = Math.max(this.#nowMs, atMs)
  }

  /** For scopes: due in `ms`, or (null) once everything that is due now has been dealt with. */
  put(timer: VirtualTimer, ms: number | null): void {
    timer.order = this.#order++
    if (ms === null) {
      this.#deferred.push(timer)
      return
    }
    timer.atMs = this.#nowMs + ms
    this.#push(timer)
  }

  #takeDeferred(): VirtualTimer | null {
    if (this.#nextDeferred >= this.#deferred.length) return null
    const timer = this.#deferred[this.#nextDeferred++] as VirtualTimer
    if (this.#nextDeferred === this.#deferred.length) {
      this.#deferred = []
      this.#nextDeferred = 0
    }
    return timer
  }

  #dropUnset(): void {
    while (this.#heap[0] !== undefined && !this.#heap[0].isSet) this.#pop()
  }

  #push(timer: VirtualTimer): void {
    if (this.#heap.length >= this.#tidyAt) this.#tidy()
    const heap = this.#heap
    let index = heap.length
    while (index > 0) {
      const parentIndex = (index - 1) >> 1
      const parent = heap[parentIndex] as VirtualTimer
      if (!isBefore(timer, parent)) break
      heap[index] = parent
      index = parentIndex
    }
    heap[index] = timer
  }

  /** What is in order is a heap. */
  #tidy(): void {
    const kept = this.#heap.filter(({ isSet }) => isSet)
    this.#heap = kept.sort((a, b) => (isBefore(a, b) ? -1 : 1))
    this.#tidyAt = Math.max(LEAST_TIDIED, 2 * kept.length)
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop() as VirtualTimer
    if (heap.length === 0) return
    let index = 0
    for (;;) {
      let childIndex = 2 * index + 1
      const right = heap[childIndex + 1]
      if (right !== undefined && isBefore(right, heap[childIndex] as VirtualTimer)) childIndex++
      const child = heap[childIndex]
      if (child === undefined || !isBefore(child, last)) break
      heap[index] = child
      index = childIndex
    }
    heap[index] = last
  }
}

function isBefore(a: VirtualTimer, b: VirtualTimer): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order)
}
