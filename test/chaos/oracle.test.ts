/**
 * The judges of a chaos run, judged: each must see the fault it is there for, and a seed must give
 * the same run again.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { describe, expect, test } from 'vitest'
import type { TaskOutcome } from '../../src/index.ts'
import { type ChaosReport, isClean } from './chaos-report.ts'
import { type ChaosPool, ClientOracle } from './client-oracle.ts'
import { FAULT_NAMES, planFaults } from './fault-plan.ts'
import { Graves, processesNaming, treeOf } from './graves.ts'

/** As much of a pool as the books ask for, with ends told as the test wants. */
function scriptedPool(times: number, value: unknown) {
  const listeners: ((outcome: TaskOutcome) => void)[] = []
  let count = 0
  return {
    on: (type: string, listener: (outcome: TaskOutcome) => void) => {
      if (type === 'task.succeeded') listeners.push(listener)
    },
    submit: () => {
      const outcome = { taskId: `task-${++count}`, status: 'succeeded', value } as TaskOutcome
      for (let reported = 0; reported < times; reported++)
        for (const listener of listeners) listener(outcome)
      const never = new Promise<TaskOutcome>(() => {})
      return { id: outcome.taskId, outcome: () => (times === 0 ? never : Promise.resolve(outcome)) }
    },
  } as unknown as ChaosPool
}

async function oracleOf(times: number, value: unknown) {
  const oracle = new ClientOracle(scriptedPool(times, value))
  oracle.submit('double', 1, {}, 2)
  await new Promise(setImmediate)
  return oracle.summary()
}

describe('the books of a client see', () => {
  test('a task that ended once', async () => {
    const seen = await oracleOf(1, 2)
    expect(seen).toMatchObject({ submitted: 1, settledOnce: 1, lost: 0, doubled: 0, wrong: 0 })
  })

  test('a task that never ended', async () => {
    expect(await oracleOf(0, 2)).toMatchObject({ settledOnce: 0, lost: 1, doubled: 0 })
  })

  test('an end told twice', async () => {
    expect(await oracleOf(2, 2)).toMatchObject({ settledOnce: 0, lost: 0, doubled: 1 })
  })

  test("another task's value", async () => {
    expect(await oracleOf(1, 3)).toMatchObject({ settledOnce: 1, wrong: 1 })
  })
})

describe('the watch over the dead', () => {
  test('sees who is alive after two seconds, and forgives who is not', async () => {
    const [survivor, mortal] = [0, 1].map(() => spawn('sleep', ['60'], { stdio: 'ignore' }))
    try {
      const graves = new Graves()
      graves.watchProcesses(treeOf(survivor?.pid ?? 0))
      graves.watchProcesses(treeOf(mortal?.pid ?? 0))
      mortal?.kill('SIGKILL')
      await graves.settled()
      expect(graves.orphans.map(({ pid }) => pid)).toEqual([survivor?.pid])
      expect(graves.orphanMsMax).toBeGreaterThanOrEqual(2_000)
    } finally {
      survivor?.kill('SIGKILL')
    }
  })

  test('finds a process by its environment alone', async () => {
    const env = { ...process.env, CHAOS_MARK: `mark-${process.pid}` }
    const child = spawn('sleep', ['60'], { stdio: 'ignore', env })
    try {
      await once(child, 'spawn')
      const found = () => processesNaming(`mark-${process.pid}`).map(({ pid }) => pid)
      await expect.poll(found).toEqual([child.pid])
    } finally {
      child.kill('SIGKILL')
    }
  })
})

describe('a plan', () => {
  const plan = (seed: number) => planFaults(60, seed, FAULT_NAMES)

  test('of one seed is the same plan', () => {
    const draws = (seed: number) => plan(seed).map(({ name, random }) => [name, random.next()])
    expect(draws(7)).toEqual(draws(7))
    expect(draws(7)).not.toEqual(draws(8))
  })

  test('has every kind of fault before any comes again', () => {
    const first = plan(7).slice(0, FAULT_NAMES.length)
    expect(new Set(first.map(({ name }) => name)).size).toBe(FAULT_NAMES.length)
  })
})

describe('a report', () => {
  const clean = {
    submitted: 5,
    settledOnce: 5,
    lost: 0,
    doubled: 0,
    wrong: 0,
    orphanProcesses: 0,
    profilesLeft: 0,
    failures: { 'WORKER_LOST quarantined: it took its worker down 2 times': 1 },
    capacityBack: true,
    unhealed: [],
    unexpectedEvents: [],
  } as unknown as ChaosReport

  test.each<Partial<ChaosReport>>([
    { lost: 1 },
    { doubled: 1 },
    { wrong: 1 },
    { orphanProcesses: 1 },
    { profilesLeft: 1 },
    { settledOnce: 4 },
    { failures: { 'TASK_FAILED it was honest': 1 } },
    { capacityBack: false },
    { unhealed: ['1 workerKill: no end'] },
    { unexpectedEvents: ['worker-1'] },
  ])('with %o is not clean', (violation) => {
    expect(isClean(clean)).toBe(true)
    expect(isClean({ ...clean, ...violation })).toBe(false)
  })
})
