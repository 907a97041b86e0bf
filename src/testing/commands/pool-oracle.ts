/**
 * A pool as its user could know it: where it may stand, what it may refuse, what it has promised. It
 * is the model that `poolCommands` run beside the real pool; what the pool does otherwise is an error
 * with every flaw in it. It asks only what any user can ask.
 */
import { isTroupeError } from '../../common/errors.ts'
import type { PoolStatus } from '../../api/status.ts'
import type { DrivenPool, PoolPhase, Top } from './driven-pool.ts'
import { TaskOracle } from './task-oracle.ts'
import { violationOfBalance } from '../truth-rules.ts'
import type { Scenario } from '../simulation/simulate-pool.ts'
import { ALONE, HELD, DRAINING, phaseOf, topOf } from './pool-phases.ts'

/** What may come of a promise. */
interface Expectation {
  /** With which code it is refused at once; null, the default, when it is not. */
  readonly expected?: string | null
  /** Codes that it may be refused with later. */
  readonly late?: readonly string[]
  /** Where the pool may go by it. */
  readonly to?: readonly Top[]
  readonly onSettled?: (code: string | null) => void
}

/** A cancelled task has stopped after so many ms at most, unless told otherwise. */
const CANCEL_LIMIT_MS = 60_000
const MAX_VIOLATIONS = 10

export class PoolOracle {
  readonly tasks = new TaskOracle((violation) => this.report(violation))
  /** How often what was done, and refused with which code: what was never seen was never tested. */
  readonly seen = new Map<string, number>()
  phase: PoolPhase
  /** Commands run so far. */
  commands = 0
  readonly #real: CommandedPool
  readonly #violations: string[] = []
  readonly #promised = new Set<string>()
  readonly #limits = new Map<string, number>()
  readonly #underWay = new Map<string, number>()
  readonly #cancelLimitMs: number
  /** Where a command under way may lead. */
  #asked: readonly Top[] = []
  #active: number
  #isSwept = false
  #promises = 0

  /** @throws TypeError for a pool with a store: its tasks outlive it */
  constructor(real: CommandedPool, { cancelLimit = CANCEL_LIMIT_MS } = {}) {
    const { pool } = real
    const { store, tasks } = pool.status()
    if (store !== null) throw new TypeError('poolOracle: a pool with a store is not known to them')
    this.#real = real
    this.#cancelLimitMs = cancelLimit
    this.phase = phaseOf(pool)
    this.#active = tasks.active
    for (const type of ['task.succeeded', 'task.failed', 'task.cancelled'] as const) {
      pool.on(type, (outcome) => {
        this.tasks.ended(outcome)
        this.#watchHold()
      })
    }
    pool.on('task.started', (event) => {
      this.tasks.started(event)
      this.#watchHold()
      this.#watchGroups()
    })
    pool.on('task.retried', (event) => this.tasks.retried(event))
    pool.on('pool.changed', ({ state }) => this.#moved(state))
  }

  /** Bound: whoever hears something late has it at hand. */
  readonly report = (violation: string): void => {
    if (this.#violations.length < MAX_VIOLATIONS) this.#violations.push(violation)
  }

  note(what: string): void {
    this.seen.set(what, (this.seen.get(what) ?? 0) + 1)
  }

  /** Before every command: what was promised may have gone on since the last one. */
  begin(): void {
    this.commands++
    this.tasks.catchUp()
    this.#look()
  }

  /** With which code the pool refuses tasks where it stands; null when it takes them. */
  get intakeRefusal(): string | null {
    const { phase } = this
    if (phase === 'idle' || phase === 'error') return 'POOL_CLOSED'
    return phase === 'stopping' || DRAINING.has(phase) ? 'DRAINING' : null
  }

  /** The same for so many tasks and the room they need. */
  roomRefusal(tasks: number): string | null {
    const { pending, maxQueue } = this.#real.pool.status().queue
    return pending + tasks > maxQueue ? 'QUEUE_FULL' : null
  }

  /** Does at once what may lead the pool to `to`, and may be refused. True when it was done. */
  attempt(
    what: string,
    expected: string | null,
    action: () => void,
    { to = [] }: { readonly to?: readonly Top[] } = {},
  ): boolean {
    this.#asked = to
    try {
      action()
      this.#judgeRefusal(what, null, expected)
      return true
    } catch (error) {
      this.#judgeRefusal(what, codeOf(error), expected)
      return false
    } finally {
      this.#asked = []
    }
  }

  /**
   * Does what gives a promise. A refusal that is due must come at once; what is promised must settle
   * before the end.
   */
  async promise(
    what: string,
    action: () => Promise<unknown>,
    expectation: Expectation = {},
  ): Promise<void> {
    const { expected = null, late = [], to = [], onSettled } = expectation
    const name = `${what} (promise ${++this.#promises})`
    this.#promised.add(name)
    this.#asked = to
    const promise = action()
    this.#asked = []
    const settle = (code: string | null) => {
      this.#promised.delete(name)
      const isLate = code !== null && expected === null && late.includes(code)
      if (isLate) this.note(`${what} ${code}, later`)
      else this.#judgeRefusal(what, code, expected)
      onSettled?.(code)
    }
    const settled = promise.then(
      () => settle(null),
      (error: unknown) => settle(codeOf(error)),
    )
    if (expected !== null) await settled
  }

  limit(group: string, limit: number): void {
    this.#limits.set(group, limit)
    this.#underWay.set(group, this.tasks.underWayIn(group))
  }

  /** After every command. @throws Error with everything that is wrong */
  judge(): void {
    const { pool, scenario, judge } = this.#real
    this.tasks.catchUp()
    this.#look()
    const { tasks } = pool.status()
    this.#reportIf(violationOfBalance(tasks))
    this.#judgeCounts(tasks)
    this.#watchHold()
    this.#watchGroups()
    this.tasks.judge(scenario.nowMs, this.#cancelLimitMs)
    this.#reportIf(scenario.violation())
    if (this.phase === 'idle' && this.#isSwept) this.#judgeEnd()
    if (judge !== undefined) this.#reportIf(judge(this))
    if (this.#violations.length > 0) throw new Error(this.#violations.join('\n'))
  }

  /** At the very end: no task is unsure any more. @throws Error */
  judgeTotal(): void {
    const { submitted } = this.#real.pool.status().tasks
    const { runs } = this.tasks
    if (submitted !== runs) throw new Error(`${submitted} tasks were taken, and ${runs} have ended`)
  }

  /** Promises that have not settled. */
  get open(): readonly string[] {
    return [...this.#promised]
  }

  /** Where the pool stands now, told or not. */
  #look(): void {
    const phase = phaseOf(this.#real.pool)
    const was = this.phase
    this.phase = phase
    if (topOf(phase) !== topOf(was)) {
      this.report(`the pool is ${phase}, and was told to be ${was}`)
    }
    if (DRAINING.has(phase) && this.tasks.unended().length + this.tasks.unsure === 0) {
      this.report('the pool drains and nothing is left')
    }
  }

  #moved(to: Top): void {
    const from = topOf(this.phase)
    if (![...ALONE[from], ...this.#asked].includes(to)) {
      this.report(`the pool went from ${this.phase} to ${to} unasked`)
    }
    if (to === 'error' && this.#real.scenario.injects === 0) {
      this.report('the pool failed, and nothing went wrong')
    }
    this.#isSwept = from === 'stopping'
    this.note(`pool ${to}`)
    this.phase = phaseOf(this.#real.pool)
    this.#active = this.#real.pool.status().tasks.active
  }

  #watchHold(): void {
    const { active } = this.#real.pool.status().tasks
    if (HELD.has(this.phase) && active > this.#active) {
      this.report(`a task was started while the pool is ${this.phase}`)
    }
    this.#active = active
  }

  /** Above a limit that was lowered there may be tasks; there are never more than before. */
  #watchGroups(): void {
    for (const [group, limit] of this.#limits) {
      const underWay = this.tasks.underWayIn(group)
      if (limit > 0 && underWay > Math.max(limit, this.#underWay.get(group) ?? 0)) {
        this.report(`${underWay} tasks of group ${group} run, and ${limit} may`)
      }
      this.#underWay.set(group, underWay)
    }
  }

  #judgeCounts(reported: PoolStatus['tasks']): void {
    const { runs, unsure, sums } = this.tasks
    if (reported.submitted < runs || reported.submitted > runs + unsure) {
      this.report(`the pool counts ${reported.submitted} tasks, and took ${runs}`)
    }
    for (const [how, count] of Object.entries(sums) as ['succeeded' | 'failed', number][]) {
      if (reported[how] !== count)
        this.report(`${reported[how]} tasks have ${how}, and ${count} were told`)
    }
  }

  #judgeEnd(): void {
    this.#reportIf(this.#real.scenario.left())
    const unended = this.tasks.unended()
    if (unended.length > 0) this.report(`the pool is idle, and has not ended ${unended.join(', ')}`)
  }

  #judgeRefusal(what: string, code: string | null, expected: string | null): void {
    this.note(code === null ? what : `${what} ${code}`)
    if (code === expected) return
    const came = code === null ? 'was taken' : `was refused with ${code}`
    this.report(`${what} ${came}; expected ${expected ?? 'no refusal'}`)
  }

  #reportIf(violation: string | null): void {
    if (violation !== null) this.report(violation)
  }
}

function codeOf(error: unknown): string {
  return isTroupeError(error) ? error.code : String(error)
}

/** What commands are done to: a pool in virtual time, as the scenario of `simulatePool` gets it. */
export interface CommandedPool {
  readonly pool: DrivenPool
  readonly scenario: Scenario
  /** What else must hold, asked after every command: what is wrong, or null. */
  readonly judge?: (oracle: PoolOracle) => string | null
  /** Why the pool is not at rest yet, asked at the end; null when it is. */
  readonly pending?: (oracle: PoolOracle) => string | null
}
