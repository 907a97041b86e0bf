/**
 * The simulation's short form: some hundred lives of the real pool, whole, in virtual time (G1–G5, G8).
 * The long one is `npm run simulate`. Planted bugs show that it can fail.
 */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { afterEach, describe, expect, it } from 'vitest'
import { Ledger } from '../../src/ledger/ledger.ts'
import { RunLifecycle } from '../../src/pool/host/run-lifecycle.ts'
import { PoolWorkers } from '../../src/pool/workers.ts'
import { FAULT_NAMES } from '../../src/testing/simulation/faults.ts'
import { useVirtualTime } from '../../src/testing/simulation/virtual-time.ts'
import { runFleet } from './fleet.ts'
import { deafTo, replace, reportsEndsTwice } from './pool-bugs.ts'
import type { FleetReport } from './fleet-report.ts'
import { simulateSchedule } from './schedule-run.ts'
import { shrunk } from './schedule-shrink.ts'
import { scheduleOf } from './schedule.ts'

const SEEDS = 96
/** A planted bug must show within so many lives. */
const SEEDS_PER_BUG = 400

const fleet = (seeds: number, isStoppedByFailure = false): Promise<FleetReport> =>
  runFleet({
    firstSeed: 0,
    seeds,
    limitMs: Number.POSITIVE_INFINITY,
    maxListed: 0,
    isStoppedByFailure,
  })

const takeOut: (() => void)[] = []
afterEach(() => {
  for (const undo of takeOut.splice(0)) undo()
})

const plantedBugs: readonly { readonly name: string; plantIt(): () => void }[] = [
  {
    name: 'the tasks of a lost process are forgotten',
    plantIt: () => deafTo((event) => event.type === 'worker.exited'),
  },
  {
    name: 'a pause does not hold the dispatch',
    plantIt: () => deafTo((event) => event.type === 'dispatch.hold' && event.holder === 'pool'),
  },
  {
    name: 'a timeout does not stop anything',
    plantIt: () => deafTo((event) => event.type === 'timers.due'),
  },
  {
    name: 'no process is ever killed',
    plantIt: () => replace(PoolWorkers.prototype, 'kill', () => () => undefined),
  },
  {
    name: 'the run folder stays',
    plantIt: () => replace(RunLifecycle.prototype, 'close', () => () => Promise.resolve()),
  },
  {
    name: 'the end of a task is told twice',
    plantIt: reportsEndsTwice,
  },
  {
    name: 'what a child calls cancelled is taken for done',
    plantIt: () =>
      replace(
        Ledger.prototype,
        'receive',
        (real) =>
          function (this: Ledger, event) {
            if (event.type !== 'attempts.reported') return real.call(this, event)
            const reports = event.reports.map((report) =>
              report.kind === 'ended' && report.verdict === 'retryable'
                ? { ...report, verdict: 'ok' as const }
                : report,
            )
            real.call(this, { ...event, reports })
          },
      ),
  },
]

describe('simulated lives', () => {
  it(`of ${SEEDS} seeds: nothing is lost, doubled or left, and all comes to rest`, async () => {
    const report = await fleet(SEEDS)
    expect(report).toMatchObject({ seeds: SEEDS, failedSeeds: 0, hashMismatches: 0 })
    const kinds = Object.values(report.faultsByKind).filter((count) => count > 0)
    expect(kinds.length).toBeGreaterThanOrEqual(FAULT_NAMES.length - 3)
  }, 60_000)

  it('are the same for the same seed, and others for another', async () => {
    const [one, two, other] = [3, 3, 4].map((seed) => fleetHash(seed))
    expect(await two).toBe(await one)
    expect(await other).not.toBe(await one)
  })
})

describe('a planted bug is found', () => {
  it.each(plantedBugs)(
    '$name',
    async ({ plantIt }) => {
      takeOut.push(plantIt())
      const { failedSeeds } = await fleet(SEEDS_PER_BUG, true)
      expect(failedSeeds).toBeGreaterThan(0)
    },
    60_000,
  )

  it('and its schedule shrinks to little', async () => {
    deafTo((event) => event.type === 'worker.exited')
    const fails = async (schedule: ReturnType<typeof scheduleOf>) =>
      (await runFleetOf(schedule)).failedSeeds > 0
    for (let seed = 0; seed < SEEDS_PER_BUG; seed++) {
      const schedule = scheduleOf(seed)
      if (!(await fails(schedule))) continue
      const small = await shrunk(schedule, fails)
      expect(small.moves.length).toBeLessThanOrEqual(2)
      return
    }
    expect.unreachable('no seed has failed')
  }, 60_000)
})

describe('the command', () => {
  it('says what is wrong with a seed that is no number', async () => {
    const run = promisify(execFile)(process.execPath, [
      'test/simulation/simulate.ts',
      '--seed',
      'abc',
    ])
    await expect(run).rejects.toMatchObject({
      code: 2,
      stderr: 'seed: must be a whole number from 0 to 2^53 − 1, not abc\n',
    })
  })
})

async function runFleetOf(schedule: ReturnType<typeof scheduleOf>): Promise<FleetReport> {
  return runFleet({
    firstSeed: 1,
    seeds: 1,
    limitMs: Number.POSITIVE_INFINITY,
    maxListed: 0,
    scheduleOf: () => schedule,
  })
}

async function fleetHash(seed: number): Promise<number> {
  const giveTimeBack = useVirtualTime()
  try {
    return (await simulateSchedule(scheduleOf(seed))).hash
  } finally {
    giveTimeBack()
  }
}
