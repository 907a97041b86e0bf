/**
 * Sequences of what a user can do with a pool, drawn by `fc.commands`, on the real pool in virtual time
 * (G1–G5). `npm run simulate` lives more of them. Planted bugs show that they can fail.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { task } from '../../src/tasks.ts'
import { type PlainTaskContext } from '../../src/task/context.ts'
import {
  FAULT_NAMES,
  POOL_COMMAND_NAMES,
  type PoolOracle,
  poolOracle,
  poolCommands,
  type PoolCommandsOptions,
  runPoolCommands,
  simulatePool,
} from '../../src/testing/index.ts'
import { sequenceBugs } from './sequence-bugs.ts'
import { emptyTally, reportOf } from './fleet-report.ts'
import { failureText, replaySequence, runSequences } from './sequence-fleet.ts'
import { parseSequences, withSequences } from './sequence-share.ts'

/** More of them: `SEQUENCE_RUNS=10000 npx vitest run --project fast test/simulation/sequences.test.ts`. */
const RUNS = Number(process.env.SEQUENCE_RUNS ?? 300)
const SEED = Number(process.env.SEQUENCE_SEED ?? 0)
/** Allowed for each run, on a slow machine. */
const RUN_MS = 100
/** A planted bug must show within so many sequences, and shrink to so few commands. */
const RUNS_PER_BUG = 1_000
const FEW_COMMANDS = 8
/** Sequences without one of these say nothing about it. */
const SOMETIMES = [
  'submit',
  'submitAll',
  'run',
  'map',
  'cancel',
  'redriven',
  'inject',
  'pause',
  'resume',
  'scale',
  'scaleUp',
  'scaleDown',
  'setGroupLimit',
  'drain',
  'accepting',
  'shutdown',
  'start',
  'recover',
  'SIGINT',
  'SIGTERM',
  'pool error',
  'submit QUEUE_FULL',
  'submit DRAINING',
  'submit POOL_CLOSED',
  'submit CONFIG_INVALID',
  'submitAll CONFIG_INVALID',
  'pause STATE_INVALID',
  'scaleDown CONFIG_INVALID',
  'run TASK_CANCELLED, later',
]

const PAUSE_BUG = 'a pause does not hold the dispatch'

const takeOut: (() => void)[] = []
afterEach(() => {
  for (const undo of takeOut.splice(0)) undo()
})

describe('sequences of commands', () => {
  it(
    `of ${RUNS} seeds: the pool is what its oracle says, and all comes to rest`,
    async () => {
      const tally = await runSequences({ firstSeed: SEED, count: RUNS })
      expect(tally.failures.map(failureText)).toEqual([])
      expect(tally.commands / tally.run).toBeGreaterThan(15)
      expect(SOMETIMES.filter((what) => tally.seen[what] === undefined)).toEqual([])
      expect(FAULT_NAMES.filter((fault) => tally.struck[fault] === 0)).toEqual([])
      expect(Object.values(tally.asked).every((count) => count >= RUNS)).toBe(true)
    },
    30_000 + RUNS * RUN_MS,
  )
})

describe('a planted bug is found, and shrinks to a few commands', () => {
  it.each(sequenceBugs)(
    '$name',
    async ({ plant, reported }) => {
      takeOut.push(plant())
      const { failures } = await runSequences({
        firstSeed: 0,
        count: RUNS_PER_BUG,
        isStoppedByFailure: true,
        maxListed: 1,
      })
      const [failure] = failures
      if (failure === undefined) throw new Error('no sequence has failed')
      expect(failure.what).toMatch(reported)
      expect(failure.commands.length).toBeLessThanOrEqual(FEW_COMMANDS)
    },
    60_000,
  )
})

describe('a sequence that fails', () => {
  const first = { firstSeed: 0, count: RUNS_PER_BUG, isStoppedByFailure: true, maxListed: 1 }

  it('is run again by what was printed of it', async () => {
    const undo = plantNamed(PAUSE_BUG)
    const [failure] = (await runSequences(first)).failures
    if (failure === undefined) throw new Error('no sequence has failed')
    const { seed, path, replayPath, commands } = failure
    const [command = ''] = failureText(failure).split('\n').slice(-1)
    expect(command).toContain(`--seed ${seed} --path ${path} --replay-path ${replayPath}`)
    const again = await replaySequence(seed, path, replayPath)
    for (const part of [failure.what, ...commands]) expect(again).toContain(part)
    undo()
    expect(await replaySequence(seed, path, replayPath)).toBeNull()
  })

  it('is a violation of the simulation that lives it', async () => {
    takeOut.push(plantNamed('the run folder is left behind'))
    const reported: string[] = []
    const fleet = reportOf([emptyTally()])
    const report = await withSequences(fleet, 0, null, (failure) => reported.push(failure.what))
    expect(report.sequences).toEqual({ run: 10, commands: 0, failed: 10 })
    expect(report.violations.map(({ what }) => what)).toEqual(reported)
  })

  it('has options that say what is wrong with them', async () => {
    expect(parseSequences('0')).toBe(0)
    expect(() => parseSequences('1.5')).toThrow('sequences: must be a whole number from 0 to')
    await expect(replaySequence(1, 'abc')).rejects.toThrow('path: as 0:3:1, not abc')
  })
})

function plantNamed(name: string): () => void {
  const bug = sequenceBugs.find((one) => one.name === name)
  if (bug === undefined) throw new Error(`there is no bug "${name}"`)
  return bug.plant()
}

describe('poolCommands', () => {
  const tasks = {
    double: task({ browser: false }, async ({ payload }: PlainTaskContext<number>) => {
      await sleep(payload)
      return 2 * payload
    }),
  }
  const payloads = { double: fc.nat({ max: 100 }) }
  const property = (given: Partial<PoolCommandsOptions>, heard: (oracle: PoolOracle) => void) =>
    fc.asyncProperty(
      poolCommands(fc, { payloads, maxCommands: 20, ...given }),
      fc.nat({ max: 100 }),
      async (commands, seed) => {
        const simulation = simulatePool({ tasks, workers: 2, seed, logger: 'silent' })
        await simulation.run(async (pool, scenario) =>
          heard(await runPoolCommands(fc, commands, { pool, scenario })),
        )
      },
    )

  it("run on a pool with a user's own handlers", async () => {
    let commands = 0
    await fc.assert(
      property({ faults: ['crash', 'lostFrame'] }, (oracle) => {
        commands += oracle.commands
      }),
      { numRuns: 20, seed: 1 },
    )
    expect(commands).toBeGreaterThan(100)
  })

  it('are those that were not left out', async () => {
    const without = POOL_COMMAND_NAMES.filter((name) => name !== 'submit' && name !== 'wait')
    const seen = new Set<string>()
    await fc.assert(
      property({ without }, (oracle) => {
        for (const what of oracle.seen.keys()) if (!what.startsWith('pool ')) seen.add(what)
      }),
      { numRuns: 5, seed: 1 },
    )
    expect([...seen].filter((what) => !/^(submit|shutdown)/.test(what))).toEqual([])
  })

  it('print what replays a failure', async () => {
    takeOut.push(plantNamed(PAUSE_BUG))
    const { failed, counterexample, errorInstance } = await fc.check(
      property({}, () => undefined),
      { numRuns: 100, seed: 1 },
    )
    expect(failed).toBe(true)
    expect(String(counterexample?.[0])).toMatch(/pause.* \/\*replayPath="[^"]+"\*\/$/)
    expect(String(errorInstance)).toContain('a task was started while the pool is paused')
  })

  it('say what they cannot do', async () => {
    expect(() => poolCommands(fc, { payloads: {} })).toThrow('name at least one task')
    const simulation = simulatePool({ tasks, workers: 1, store: 'orders.sqlite' })
    const run = simulation.run((pool, scenario) => void poolOracle({ pool, scenario }))
    await expect(run).rejects.toThrow('a pool with a store is not known to them')
  })

  it('let a fault strike that exists', async () => {
    const run = simulatePool({ tasks, workers: 1 }).run((_, scenario) =>
      scenario.inject('crsh' as 'crash'),
    )
    await expect(run).rejects.toThrow('there is no fault "crsh"; known: crash,')
  })
})
