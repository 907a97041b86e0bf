/**
 * Many simulated lives, one after the other: how many seeds a second, what went wrong in which, which
 * faults struck. One seed in a hundred is lived twice and must come out the same.
 */
import { FAULT_NAMES, type FaultName } from '../../src/testing/faults.ts'
import { realNowMs, useVirtualTime } from '../../src/testing/virtual-time.ts'
import { type LifeReport, live } from './schedule-run.ts'
import { shrunk } from './schedule-shrink.ts'
import { type Schedule, scheduleOf } from './schedule.ts'

/** One seed in so many is lived twice. */
const TWICE_EVERY = 100
/** Lives lived side by side: they share the turns of the real event loop, and nothing else. */
const AT_ONCE = 16
/** So many failing seeds are shrunk and told; more are only counted. */
export const MAX_TOLD = 10

export interface Violation {
  readonly seed: number
  readonly what: readonly string[]
  /** The shrunk schedule, with what goes wrong in it. */
  readonly shrunk: Schedule
  readonly shrunkWhat: readonly string[]
  readonly replay: string
}

export interface FleetReport {
  readonly seeds: number
  readonly schedulesPerSecond: number
  readonly eventsPerSecond: number
  readonly violations: readonly Violation[]
  /** Seeds that failed, told or not. */
  readonly failedSeeds: number
  readonly faultsByKind: Readonly<Record<FaultName, number>>
  readonly hashMismatches: number
  /** How tasks, workers and pools came to an end, by kind: the simulation's `sometimes`. */
  readonly seen: Readonly<Record<string, number>>
  /** Of virtual time, in all lives together. */
  readonly virtualMs: number
}

export interface FleetPlan {
  readonly firstSeed: number
  readonly seeds: number
  /** ms of real time after which no further seed is begun; Infinity for none. */
  readonly limitMs: number
  readonly scheduleOf?: (seed: number) => Schedule
  /** No further seed is begun once one has failed. */
  readonly isStoppedByFailure?: boolean
  /** Failing seeds that are shrunk and told. Default 10. */
  readonly maxTold?: number
  /** Called with each violation as it is found. */
  readonly onViolation?: (violation: Violation) => void
}

export async function runFleet(plan: FleetPlan): Promise<FleetReport> {
  const giveTimeBack = useVirtualTime()
  try {
    return await new Fleet(plan).run()
  } finally {
    giveTimeBack()
  }
}

class Fleet {
  readonly #plan: FleetPlan
  readonly #violations: Violation[] = []
  readonly #faults = Object.fromEntries(FAULT_NAMES.map((name) => [name, 0])) as Record<
    FaultName,
    number
  >
  readonly #seen = new Map<string, number>()
  #seeds = 0
  #failed = 0
  #mismatches = 0
  #virtualMs = 0
  /** ms of real time spent on living each seed once. */
  #lifeMs = 0
  #calls = 0
  /** Of the seeds that were lived twice, to know how many events a call of the clock brings. */
  #countedCalls = 0
  #countedEvents = 0

  constructor(plan: FleetPlan) {
    this.#plan = plan
  }

  async run(): Promise<FleetReport> {
    const { firstSeed, seeds, limitMs } = this.#plan
    const endsAtMs = realNowMs() + limitMs
    const isOver = () =>
      realNowMs() >= endsAtMs || (this.#plan.isStoppedByFailure === true && this.#failed > 0)
    const endSeed = firstSeed + seeds
    for (let seed = firstSeed; seed < endSeed && !isOver(); seed += AT_ONCE) {
      await this.#liveSeeds(seed, Math.min(seed + AT_ONCE, endSeed))
    }
    const seconds = Math.max(this.#lifeMs, 1) / 1_000
    const eventsPerCall = this.#countedEvents / Math.max(1, this.#countedCalls)
    return {
      seeds: this.#seeds,
      schedulesPerSecond: Math.round(this.#seeds / seconds),
      eventsPerSecond: Math.round((this.#calls * eventsPerCall) / seconds),
      violations: this.#violations,
      failedSeeds: this.#failed,
      faultsByKind: this.#faults,
      hashMismatches: this.#mismatches,
      seen: Object.fromEntries([...this.#seen].toSorted()),
      virtualMs: this.#virtualMs,
    }
  }

  async #liveSeeds(from: number, to: number): Promise<void> {
    const schedules = Array.from({ length: to - from }, (_, at) => this.#scheduleOf(from + at))
    const begunMs = realNowMs()
    const reports = await Promise.all(schedules.map((schedule) => live(schedule)))
    this.#lifeMs += realNowMs() - begunMs
    for (const [at, report] of reports.entries()) {
      const schedule = schedules[at] as Schedule
      this.#note(report)
      if (report.violations.length > 0) await this.#blame(from + at, schedule, report)
      if ((from + at) % TWICE_EVERY === 0) await this.#liveAgain(schedule, report)
    }
  }

  async #liveAgain(schedule: Schedule, report: LifeReport): Promise<void> {
    const again = await live(schedule, { isCounting: true })
    this.#countedCalls += again.calls
    this.#countedEvents += again.calls + again.events
    if (again.hash !== report.hash) this.#mismatches++
    // The second life is also checked step by step.
    if (report.violations.length === 0 && again.violations.length > 0) {
      await this.#blame(schedule.seed, schedule, again)
    }
  }

  #note({ struck, calls, virtualMs, seen }: LifeReport): void {
    for (const [what, count] of seen) this.#seen.set(what, (this.#seen.get(what) ?? 0) + count)
    this.#seeds++
    this.#calls += calls
    this.#virtualMs += virtualMs
    for (const name of FAULT_NAMES) this.#faults[name] += struck[name]
  }

  async #blame(seed: number, schedule: Schedule, report: LifeReport): Promise<void> {
    if (this.#failed++ >= (this.#plan.maxTold ?? MAX_TOLD)) return
    const fails = async (smaller: Schedule) =>
      (await live(smaller, { isCounting: true })).violations.length > 0
    const small = await shrunk(schedule, fails)
    const violation: Violation = {
      seed,
      what: report.violations,
      shrunk: small,
      shrunkWhat: (await live(small, { isCounting: true })).violations,
      replay: `npm run simulate -- --seed ${seed} --seeds 1`,
    }
    this.#violations.push(violation)
    this.#plan.onViolation?.(violation)
  }

  #scheduleOf(seed: number): Schedule {
    return (this.#plan.scheduleOf ?? scheduleOf)(seed)
  }
}
