/**
 * Breadth-first over everything the composed system can do. Breadth-first, so that the first way to
 * a fault is a shortest one. Afterwards it looks back from every row at rest: whoever cannot get
 * there by itself is stuck.
 */
import { Moves, type Move } from './moves.ts'
import type { CompositionPlan } from './plan.ts'
import { Numbers, Rows } from './rows.ts'
import { violationOf, pending } from './rules.ts'
import { staleViolation } from './stale-messages.ts'
import { type Row, System } from './system.ts'

export interface Limits {
  readonly maxStates: number
  readonly maxSeconds: number
  /** Stop at the first violation. */
  readonly isUntilViolation?: boolean
}

export interface Violation {
  readonly violation: string
  /** Rows from the start to where it shows; the last move, if it is a move that is at fault. */
  readonly rows: readonly Row[]
  readonly last: Move | null
}

export interface Exploration {
  readonly plan: CompositionPlan
  readonly states: number
  readonly edges: number
  readonly seconds: number
  /** False when a limit ended it: then nothing is proven. */
  readonly isComplete: boolean
  readonly atRest: number
  /** Rows in circles of their own doing: an endless quarrel, were fate unkind. */
  readonly inCircles: number
  readonly violations: readonly Violation[]
  readonly system: System
}

const MAX_VIOLATIONS = 20
/** How often the clock is looked at. */
const CHECK_EVERY = 4_096

export function check(plan: CompositionPlan, limits: Limits): Exploration {
  return new Checker(plan, limits).run()
}

class Checker {
  readonly #system: System
  readonly #moves: Moves
  readonly #rows: Rows
  readonly #limits: Limits
  readonly #parents = new Numbers()
  /** Steps that come by themselves, as pairs: from, to. */
  readonly #steps = new Numbers()
  readonly #violations = new Map<string, Violation>()
  #edges = 0

  constructor(plan: CompositionPlan, limits: Limits) {
    this.#system = new System(plan)
    this.#moves = new Moves(this.#system)
    this.#rows = new Rows(this.#system.width)
    this.#limits = limits
  }

  run(): Exploration {
    const startedAt = performance.now()
    const seconds = () => (performance.now() - startedAt) / 1_000
    const [start] = [this.#system.initial()]
    this.#rows.add(start)
    this.#parents.push(-1)
    let isComplete = true
    for (let id = 0; id < this.#rows.size && isComplete; id++) {
      this.#expand(id)
      if (this.#isOver(id, seconds)) isComplete = false
    }
    const ends = isComplete ? this.#lookBack() : { atRest: 0, inCircles: 0 }
    return {
      plan: this.#system.plan,
      states: this.#rows.size,
      edges: this.#edges,
      seconds: seconds(),
      isComplete,
      ...ends,
      violations: [...this.#violations.values()],
      system: this.#system,
    }
  }

  #isOver(id: number, seconds: () => number): boolean {
    const { maxStates, maxSeconds, isUntilViolation } = this.#limits
    if (isUntilViolation === true && this.#violations.size > 0) return true
    if (this.#violations.size >= MAX_VIOLATIONS || this.#rows.size > maxStates) return true
    return id % CHECK_EVERY === 0 && seconds() > maxSeconds
  }

  #expand(id: number): void {
    const row = Array.from(this.#rows.at(id))
    for (const move of this.#moves.of(row)) {
      this.#take(id, row, move)
      const { ports } = this.#system
      for (const thrown of this.#moves.thrown(move, row, ports)) this.#take(id, row, thrown)
    }
  }

  #take(id: number, row: Row, move: Move): void {
    const next = this.#system.step(row, move)
    this.#edges++
    if (this.#system.violation !== null) return this.#report(this.#system.violation, id, move)
    const known = this.#rows.add(next)
    const target = known < 0 ? ~known : known
    if (known < 0) this.#arrive(target, id, next)
    if (move.kind === 'user' || move.kind === 'fault' || target === id) return
    this.#steps.push(id)
    this.#steps.push(target)
  }

  #arrive(id: number, parent: number, row: Row): void {
    this.#parents.push(parent)
    const violation = violationOf(this.#system, row) ?? staleViolation(this.#system, row)
    if (violation !== null) this.#report(violation, id, null)
  }

  #report(violation: string, id: number, last: Move | null): void {
    if (this.#violations.has(violation)) return
    const rows: Row[] = []
    for (let at = id; at !== -1; at = this.#parents.at(at))
      rows.unshift(Array.from(this.#rows.at(at)))
    this.#violations.set(violation, { violation, rows, last })
  }

  /** Which rows come to rest by themselves, and which run in circles. */
  #lookBack(): { atRest: number; inCircles: number } {
    const { size } = this.#rows
    const before = new Links(this.#steps, size, 1)
    const isReaching = new Uint8Array(size)
    const work: number[] = []
    for (let id = 0; id < size; id++) {
      if (pending(this.#system, this.#rows.at(id)) !== null) continue
      isReaching[id] = 1
      work.push(id)
    }
    const atRest = work.length
    for (let id = work.pop(); id !== undefined; id = work.pop()) {
      for (const from of before.of(id)) {
        if (isReaching[from] === 1) continue
        isReaching[from] = 1
        work.push(from)
      }
    }
    for (let id = 0; id < size; id++) {
      if (isReaching[id] === 1) continue
      this.#report(`never at rest: ${pending(this.#system, this.#rows.at(id)) ?? ''}`, id, null)
    }
    const inCircles = this.#circles(size)
    return { atRest, inCircles }
  }

  /**
   * Rows that lie on a circle of steps nobody asked for: peeled from the ends, what is left turns
   * for ever.
   */
  #circles(size: number): number {
    const left = this.#peel(size, 0)
    const right = this.#peel(size, 1)
    let count = 0
    for (let id = 0; id < size; id++) {
      if (left[id] === 0 || right[id] === 0) continue
      count++
      this.#report('it runs in circles by itself', id, null)
    }
    return count
  }

  /** 1 for rows that stay when those without a way on (or back) are taken away again and again. */
  #peel(size: number, side: 0 | 1): Uint8Array {
    const degree = new Int32Array(size)
    for (let at = side; at < this.#steps.length; at += 2) degree[this.#steps.at(at)]! += 1
    const links = new Links(this.#steps, size, side === 0 ? 1 : 0)
    const stays = new Uint8Array(size).fill(1)
    const work: number[] = []
    for (let id = 0; id < size; id++) if (degree[id] === 0) work.push(id)
    for (let id = work.pop(); id !== undefined; id = work.pop()) {
      stays[id] = 0
      for (const other of links.of(id)) {
        degree[other]! -= 1
        if (degree[other] === 0) work.push(other)
      }
    }
    return stays
  }
}

/** Pairs, found by one of their sides. */
class Links {
  readonly #starts: Int32Array
  readonly #others: Int32Array

  constructor(pairs: Numbers, size: number, side: 0 | 1) {
    this.#starts = new Int32Array(size + 1)
    this.#others = new Int32Array(pairs.length / 2)
    for (let at = side; at < pairs.length; at += 2) this.#starts[pairs.at(at) + 1]! += 1
    for (let id = 0; id < size; id++) this.#starts[id + 1]! += this.#starts[id] as number
    const next = this.#starts.slice()
    for (let at = 0; at < pairs.length; at += 2) {
      const own = pairs.at(at + side)
      this.#others[next[own]!++] = pairs.at(at + 1 - side)
    }
  }

  of(id: number): Int32Array {
    return this.#others.subarray(this.#starts[id], this.#starts[id + 1])
  }
}
