/**
 * A fleet in several processes at once: each lives a share of the seeds. A seed is the same life in
 * whichever of them. Run as a process of its own, this file is one such job.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { type FleetPlan, runFleet, tallyFleet } from './fleet.ts'
import { type FleetReport, type FleetTally, reportOf, type Violation } from './fleet-report.ts'

/** Fewer seeds than this are not worth a process. */
const LEAST_SEEDS = 200

interface JobPlan {
  readonly firstSeed: number
  readonly seeds: number
  readonly share: { readonly index: number; readonly of: number }
  /** Null: none. */
  readonly limitMs: number | null
}
type JobEvents = { readonly violation: Violation } | { readonly tally: FleetTally }

/** @throws Error when a job dies. */
export async function runJobs(plan: FleetPlan, atMost: number): Promise<FleetReport> {
  const { firstSeed, seeds, limitMs, onViolation } = plan
  const jobs = Math.floor(Math.min(atMost, seeds / LEAST_SEEDS))
  if (jobs < 2) return runFleet(plan)
  const tallies = Array.from({ length: jobs }, (_, index) =>
    runJob(
      {
        firstSeed,
        seeds,
        share: { index, of: jobs },
        limitMs: Number.isFinite(limitMs) ? limitMs : null,
      },
      onViolation,
    ),
  )
  return reportOf(await Promise.all(tallies))
}

async function runJob(plan: JobPlan, onViolation: FleetPlan['onViolation']): Promise<FleetTally> {
  const job = fork(fileURLToPath(import.meta.url), [JSON.stringify(plan)])
  let tally: FleetTally | null = null
  job.on('message', (events: JobEvents) => {
    if ('tally' in events) tally = events.tally
    else onViolation?.(events.violation)
  })
  const [code] = await once(job, 'close')
  if (tally === null) throw new Error(`a job of the fleet ended with code ${code}`)
  return tally
}

async function doJob(text: string): Promise<void> {
  // Errors are data here, made by the thousand: their stacks would cost more than the lives.
  Error.stackTraceLimit = 0
  const { limitMs, ...plan } = JSON.parse(text) as JobPlan
  const send = (events: JobEvents) => process.send?.(events)
  const tally = await tallyFleet({
    ...plan,
    limitMs: limitMs ?? Number.POSITIVE_INFINITY,
    onViolation: (violation) => send({ violation }),
  })
  send({ tally })
  process.disconnect()
}

if (import.meta.main && process.argv[2] !== undefined) await doJob(process.argv[2])
