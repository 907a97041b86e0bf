/**
 * `npm run simulate -- --seeds N [--seed S] [--minutes M] [--jobs J] [--sequences Q] [--year]
 * [--events] [--json]`: lives of pools, from seed S on, in J processes at once (default: one for each
 * core), and then Q sequences of commands (default: one for 20 seeds). The exit code is 1 when something
 * went wrong in one of them, 2 for a bad option. The last line is the report, as JSON if asked for.
 */
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { parseSeed } from '../../src/testing/simulation/seeded-random.ts'
import { printEvents } from './event-lines.ts'
import { runJobs } from './fleet-jobs.ts'
import type { FleetReport, Violation } from './fleet-report.ts'
import { scheduleOf } from './schedule.ts'
import { parseSequences, type SequenceShare, withSequences } from './sequence-share.ts'
import { simulateYear } from './year.ts'

const DEFAULT_SEEDS = 20_000
const EXIT_VIOLATION = 1
const EXIT_USAGE = 2
const MINUTE_MS = 60_000
const DAY_MS = 86_400_000

interface Options {
  readonly firstSeed: number
  readonly seeds: number
  readonly limitMs: number
  readonly jobs: number
  /** Null: a share of the seeds. */
  readonly sequences: number | null
  readonly isYear: boolean
  readonly isJson: boolean
  /** Every event of the one seed is printed. */
  readonly isVerbose: boolean
}

// Errors are data here, made by the thousand: their stacks would cost more than the lives.
Error.stackTraceLimit = 0
try {
  process.exitCode = await main(readOptions())
} catch (error) {
  if (!(error instanceof TypeError)) throw error
  process.stderr.write(`${error.message}\n`)
  process.exitCode = EXIT_USAGE
}

async function main(options: Options): Promise<number> {
  const { isYear, isJson, isVerbose, jobs, sequences, ...plan } = options
  if (isVerbose) {
    const schedule = scheduleOf(plan.firstSeed)
    process.stdout.write(`${JSON.stringify(schedule, null, 1)}\n`)
    const report = await printEvents(schedule, (line) => process.stdout.write(`${line}\n`))
    process.stdout.write(`${JSON.stringify(report)}\n`)
    return report.violations.length === 0 ? 0 : EXIT_VIOLATION
  }
  if (isYear) {
    const report = await simulateYear(plan.firstSeed)
    process.stdout.write(`${JSON.stringify(report)}\n`)
    return report.violations.length === 0 ? 0 : EXIT_VIOLATION
  }
  const fleet = await runJobs({ ...plan, onViolation: send }, jobs)
  const report = await withSequences(fleet, plan.firstSeed, sequences)
  const { failed } = report.sequences
  const summary = () => `${summaryOf(fleet)}\n${summaryOfSequences(report.sequences)}`
  process.stdout.write(`${isJson ? JSON.stringify(report) : summary()}\n`)
  return fleet.failedSeeds + fleet.hashMismatches + failed === 0 ? 0 : EXIT_VIOLATION
}

function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      seeds: { type: 'string' },
      seed: { type: 'string' },
      minutes: { type: 'string' },
      jobs: { type: 'string' },
      sequences: { type: 'string' },
      year: { type: 'boolean', default: false },
      events: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    },
  })
  const minutes = values.minutes === undefined ? null : numberOf('minutes', values.minutes)
  const seeds = values.seeds === undefined ? null : numberOf('seeds', values.seeds)
  return {
    firstSeed: parseSeed(values.seed ?? 0),
    seeds: seeds ?? (minutes === null ? DEFAULT_SEEDS : Number.MAX_SAFE_INTEGER),
    limitMs: minutes === null ? Number.POSITIVE_INFINITY : minutes * MINUTE_MS,
    jobs: values.jobs === undefined ? availableParallelism() : numberOf('jobs', values.jobs),
    sequences: parseSequences(values.sequences),
    isYear: values.year,
    isJson: values.json,
    isVerbose: values.events,
  }
}

function numberOf(name: string, text: string): number {
  const number = Number(text)
  if (text.trim() !== '' && number > 0 && Number.isFinite(number)) return number
  throw new TypeError(`${name}: must be a number above 0, not ${text}`)
}

function send({ seed, what, shrunk, shrunkWhat, replay }: Violation): void {
  const { moves, ...rest } = shrunk
  const lines = [
    `seed ${seed} fails: ${what.join('; ')}`,
    `shrunk to: ${JSON.stringify(rest)}`,
    ...moves.map((move) => `  ${JSON.stringify(move)}`),
    `where ${shrunkWhat.join('; ')}`,
    `replay: ${replay}`,
  ]
  process.stderr.write(`${lines.join('\n')}\n\n`)
}

function summaryOf(report: FleetReport): string {
  const { seeds, jobs, failedSeeds, hashMismatches, average } = report
  const { tasks, processes, events, virtualMs } = average
  const days = (report.virtualMs / DAY_MS).toFixed(2)
  const struck = Object.entries(report.faultsByKind).map(([name, count]) => `${name} ${count}`)
  return [
    `${seeds} seeds, ${days} days of virtual time: ${failedSeeds} failed, ${hashMismatches} differed when lived twice`,
    `${report.schedulesPerSecond} schedules/s, ${report.eventsPerSecond} events/s in ${jobs} processes`,
    `${report.schedulesPerProcessorSecond} schedules for a second of a core`,
    `one holds ${tasks} tasks, ${processes} workers, ${events} events in ${virtualMs} ms`,
    `faults: ${struck.join(', ')}`,
    `seen: ${Object.entries(report.seen)
      .map(([what, count]) => `${what} ${count}`)
      .join(', ')}`,
  ].join('\n')
}

function summaryOfSequences({ run, commands, failed }: SequenceShare): string {
  return `${run} sequences of ${commands} commands in all: ${failed} failed`
}
