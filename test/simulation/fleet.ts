/**
 * Many simulated lives, one after the other: how many seeds a second, what went wrong in which, which
 * faults struck. One seed in a hundred is lived twice and must come out the same.
 */
import { realNowMs, useVirtualTime } from '../../src/testing/simulation/virtual-time.ts'
import {
  addTo,
  emptyTally,
  type FleetReport,
  type FleetTally,
  reportOf,
  type Violation,
} from './fleet-report.ts'
import { type RunReport, simulateSchedule } from './schedule-run.ts'
import { shrunk } from './schedule-shrink.ts'
import { type Schedule, scheduleOf } from './schedule.ts'

/** One seed in so many is lived twice. */
const TWICE_EVERY = 100
/** So many failing seeds are shrunk and told; more are only counted. */
const MAX_LISTED = 10

export interface FleetPlan {
  readonly firstSeed: number
  readonly seeds: number
  /** ms of real time after which no further seed is begun; Infinity for none. */
  readonly limitMs: number
  readonly scheduleOf?: (seed: number) => Schedule
  /** No further seed is begun once one has failed. */
  readonly isStoppedByFailure?: boolean
  /** Failing seeds that are shrunk and told. Default 10. */
  readonly maxListed?: number
  /** In this process only the `index`-th (from 0) of every `of` seeds is lived. Default: all. */
  readonly share?: { readonly index: number; readonly of: number }
  /** Called with each violation as it is found. */
  readonly onViolation?: (violation: Violation) => void
}

export async function runFleet(plan: FleetPlan): Promise<FleetReport> {
  return reportOf([await tallyFleet(plan)])
}

/** The sums alone, for a fleet that is part of a larger one. */
export async function tallyFleet(plan: FleetPlan): Promise<FleetTally> {
  const giveTimeBack = useVirtualTime()
  try {
    return await new Fleet(plan).run()
  } finally {
    giveTimeBack()
  }
}

class Fleet {
  readonly #plan: FleetPlan
  readonly #tally = emptyTally()

  constructor(plan: FleetPlan) {
    this.#plan = plan
  }

  async run(): Promise<FleetTally> {
    const { firstSeed, seeds, limitMs, share: { index, of } = { index: 0, of: 1 } } = this.#plan
    const endsAtMs = realNowMs() + limitMs
    const isOver = () =>
      realNowMs() >= endsAtMs ||
      (this.#plan.isStoppedByFailure === true && this.#tally.failedSeeds > 0)
    const begun = process.cpuUsage()
    for (let seed = firstSeed + index; seed < firstSeed + seeds && !isOver(); seed += of) {
      const schedule = this.#scheduleOf(seed)
      const report = await this.#simulateSchedule(schedule)
      if (Math.floor(seed / of) % TWICE_EVERY === 0) {
        await this.#unmeasured(() => this.#replayRun(schedule, report))
      }
    }
    const { user, system } = process.cpuUsage()
    this.#tally.processorMs += (user + system - begun.user - begun.system) / 1_000
    return this.#tally
  }

  async #simulateSchedule(schedule: Schedule): Promise<RunReport> {
    const begunMs = realNowMs()
    const report = await simulateSchedule(schedule)
    this.#tally.lifeMs += realNowMs() - begunMs
    this.#note(report)
    if (report.violations.length > 0) {
      await this.#unmeasured(() => this.#report(schedule, report))
    }
    return report
  }

  /** What is done for the sake of proof is not counted as living. */
  async #unmeasured(work: () => Promise<void>): Promise<void> {
    const begun = process.cpuUsage()
    await work()
    const { user, system } = process.cpuUsage(begun)
    this.#tally.processorMs -= (user + system) / 1_000
  }

  async #replayRun(schedule: Schedule, report: RunReport): Promise<void> {
    const again = await simulateSchedule(schedule, { isCounting: true })
    this.#tally.countedCalls += again.calls
    this.#tally.countedEvents += again.events
    if (again.hash !== report.hash) this.#tally.hashMismatches++
    // The second life is also checked step by step.
    if (report.violations.length === 0 && again.violations.length > 0) {
      await this.#report(schedule, again)
    }
  }

  #note({ struck, calls, virtualMs, seen }: RunReport): void {
    const tally = this.#tally
    for (const [what, count] of seen) tally.seen[what] = (tally.seen[what] ?? 0) + count
    addTo(tally.faultsByKind, struck)
    tally.seeds++
    tally.calls += calls
    tally.virtualMs += virtualMs
  }

  async #report(schedule: Schedule, report: RunReport): Promise<void> {
    const { seed } = schedule
    if (this.#tally.failedSeeds++ >= (this.#plan.maxListed ?? MAX_LISTED)) return
    const fails = async (smaller: Schedule) =>
      (await simulateSchedule(smaller, { isCounting: true })).violations.length > 0
    const small = await shrunk(schedule, fails)
    const violation: Violation = {
      seed,
      what: report.violations,
      shrunk: small,
      shrunkWhat: (await simulateSchedule(small, { isCounting: true })).violations,
      replay: `npm run simulate -- --seed ${seed} --seeds 1`,
    }
    this.#tally.violations.push(violation)
    this.#plan.onViolation?.(violation)
  }

  #scheduleOf(seed: number): Schedule {
    return (this.#plan.scheduleOf ?? scheduleOf)(seed)
  }
}
