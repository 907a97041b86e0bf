/**
 * What the checks of several traces come to together: those of one pool and of its workers' sessions,
 * or of all pools of a run. It reads no file and checks nothing itself.
 */
import type { MachineId } from '../../../machines/index.ts'

import type { TransitionId } from './transitions.ts'
import type { Difference } from './replay.ts'

/** Enough to see what is wrong, and no more. */
export const MAX_PROBLEMS = 20
/** Actors that a report names, the first of them: there is one for each task that is followed. */
export const MAX_NAMED_ACTORS = 10_000
/** A trace, or its older part. */
const TRACE = /\.jsonl(\.old)?$/
/** Of a worker's session, beside the trace of its pool. */
const SESSION = /\.worker-\d+\.\d+\.jsonl/

export function isTraceName(file: string): boolean {
  return TRACE.test(file)
}

/** A worker may be killed: its session's trace then breaks off. */
export function isSessionName(file: string): boolean {
  return SESSION.test(file)
}

export class TraceTally {
  readonly #problems: TraceProblem[] = []
  readonly #actors = new Set<string>()
  readonly #taken = new Map<MachineId, Set<TransitionId>>()
  #lines = 0
  #steps = 0
  #differences = 0

  /** How many problems there were, those that the report leaves out too. */
  get differences(): number {
    return this.#differences
  }

  /** `mayBreakOff`: its process may have been killed. */
  add(
    file: string,
    report: ConformanceReport,
    { mayBreakOff }: { readonly mayBreakOff: boolean },
  ): void {
    this.#lines += report.lines
    this.#steps += report.steps
    for (const problem of report.problems) {
      if (mayBreakOff && problem.kind === 'truncated') continue
      this.#differences++
      if (this.#problems.length < MAX_PROBLEMS) this.#problems.push({ ...problem, file })
    }
    for (const actor of report.actors) {
      if (this.#actors.size < MAX_NAMED_ACTORS) this.#actors.add(actor)
    }
    for (const [machine, ids] of report.taken) {
      const all = this.#taken.get(machine) ?? new Set()
      this.#taken.set(machine, all)
      for (const id of ids) all.add(id)
    }
  }

  report(): ConformanceReport {
    return {
      ok: this.#differences === 0,
      problems: this.#problems,
      lines: this.#lines,
      steps: this.#steps,
      actors: [...this.#actors],
      taken: this.#taken,
    }
  }
}

export interface TraceProblem {
  /** Of a folder of traces. */
  readonly file?: string
  /** In the trace, from 1. */
  readonly line: number
  /**
   * `malformed`: no line of a trace; `version`, `machine`: written by others; `order`: lines are
   * missing or not in their order; `truncated`: it breaks off; `state`, `commands`: the machine
   * does something else.
   */
  readonly kind: 'malformed' | 'version' | 'machine' | 'truncated' | Difference['kind']
  readonly actor: string | null
  readonly message: string
}

export interface ConformanceReport {
  /** Nothing is wrong. */
  readonly ok: boolean
  readonly problems: readonly TraceProblem[]
  readonly lines: number
  /** Steps taken again. */
  readonly steps: number
  /** At most MAX_NAMED_ACTORS. */
  readonly actors: readonly string[]
  /** The transitions that were taken, by machine. */
  readonly taken: ReadonlyMap<MachineId, ReadonlySet<TransitionId>>
}
