/** What many simulated lives add up to, in one process or in several at once. */
import { FAULT_NAMES, type FaultName } from '../../src/testing/simulation/faults.ts'
import type { Schedule } from './schedule.ts'

export interface Violation {
  readonly seed: number
  readonly what: readonly string[]
  /** The shrunk schedule, with what goes wrong in it. */
  readonly shrunk: Schedule
  readonly shrunkWhat: readonly string[]
  readonly replay: string
}

/** Sums of one process. */
export interface FleetTally {
  seeds: number
  readonly violations: Violation[]
  failedSeeds: number
  hashMismatches: number
  readonly faultsByKind: Record<FaultName, number>
  readonly seen: Record<string, number>
  virtualMs: number
  /** ms of real time, and of processor time, spent on living each seed once. */
  lifeMs: number
  processorMs: number
  /** Of the virtual clock. */
  calls: number
  /** Of the seeds that were lived twice, to know how many events a call of the clock brings. */
  countedCalls: number
  countedEvents: number
}

export interface FleetReport {
  readonly seeds: number
  /** Processes that lived them side by side. */
  readonly jobs: number
  /** Of real time, all jobs together. */
  readonly schedulesPerSecond: number
  readonly schedulesPerProcessorSecond: number
  /** Of real time: what machines, tasks and the ledger got; a sample, of the seeds lived twice. */
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
  /** What one schedule holds. */
  readonly average: {
    /** Ends of tasks, and of worker processes. */
    readonly tasks: number
    readonly processes: number
    readonly events: number
    /** Of the virtual clock: timers, pipes and deferred calls. */
    readonly clockCalls: number
    readonly virtualMs: number
  }
}

export function emptyTally(): FleetTally {
  const faults = Object.fromEntries(FAULT_NAMES.map((name) => [name, 0]))
  return {
    seeds: 0,
    violations: [],
    failedSeeds: 0,
    hashMismatches: 0,
    faultsByKind: faults as Record<FaultName, number>,
    seen: {},
    virtualMs: 0,
    lifeMs: 0,
    processorMs: 0,
    calls: 0,
    countedCalls: 0,
    countedEvents: 0,
  }
}

export function addTo(sums: Record<string, number>, more: Readonly<Record<string, number>>): void {
  for (const [name, count] of Object.entries(more)) sums[name] = (sums[name] ?? 0) + count
}

/** Of jobs that ran at the same time. */
export function reportOf(tallies: readonly FleetTally[]): FleetReport {
  const sum = (read: (tally: FleetTally) => number) =>
    tallies.reduce((all, tally) => all + read(tally), 0)
  const { faultsByKind, seen } = emptyTally()
  for (const tally of tallies) {
    addTo(faultsByKind, tally.faultsByKind)
    addTo(seen, tally.seen)
  }
  const seeds = sum((tally) => tally.seeds)
  const calls = sum((tally) => tally.calls)
  const countedCalls = sum((tally) => tally.countedCalls)
  const events = (calls * sum((tally) => tally.countedEvents)) / Math.max(1, countedCalls)
  const seconds = Math.max(1, ...tallies.map(({ lifeMs }) => lifeMs)) / 1_000
  const processorSeconds =
    Math.max(
      1,
      sum((tally) => tally.processorMs),
    ) / 1_000
  const virtualMs = sum((tally) => tally.virtualMs)
  const each = (count: number) => Number((count / Math.max(1, seeds)).toFixed(1))
  return {
    seeds,
    jobs: tallies.length,
    schedulesPerSecond: Math.round(seeds / seconds),
    schedulesPerProcessorSecond: Math.round(seeds / processorSeconds),
    eventsPerSecond: Math.round(events / seconds),
    violations: tallies.flatMap(({ violations }) => violations),
    failedSeeds: sum((tally) => tally.failedSeeds),
    faultsByKind,
    hashMismatches: sum((tally) => tally.hashMismatches),
    seen: Object.fromEntries(Object.entries(seen).toSorted()),
    virtualMs,
    average: {
      tasks: each(countOf(seen, 'task ')),
      processes: each(countOf(seen, 'worker ')),
      events: each(events),
      clockCalls: each(calls),
      virtualMs: Math.round(virtualMs / Math.max(1, seeds)),
    },
  }
}

function countOf(seen: Readonly<Record<string, number>>, kind: string): number {
  return Object.entries(seen).reduce(
    (all, [what, count]) => (what.startsWith(kind) ? all + count : all),
    0,
  )
}
