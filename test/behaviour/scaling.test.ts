/**
 * How many workers a pool has: by hand, by load, and with a spare that stands by (G5). Real processes;
 * readings of memory are the test's own where they matter.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { PoolActor } from '../../src/index.ts'
import { InjectedReadings } from '../support/injected-readings.ts'
import { nextEvent, type PlainTasks, plainPool } from '../support/pool-under-test.ts'

type Pool = PoolActor<PlainTasks>
const POLL = { timeout: 10_000, interval: 5 } as const

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'troupe-scaling-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const states = (pool: Pool) => pool.status().workers.map(({ slot, state }) => `${slot} ${state}`)
const stateOf = (pool: Pool, slot: string) =>
  pool.status().workers.find((worker) => worker.slot === slot)?.state
const sizes = (pool: Pool) => {
  const seen: number[] = []
  pool.on('pool.scaled', ({ workers }) => seen.push(workers))
  return seen
}

describe('a pool that follows its load', () => {
  test('grows one by one while tasks wait, and shrinks one by one when it idles', async () => {
    const elastic = { minWorkers: 1, maxWorkers: 3, heartbeatInterval: 50, idleTimeout: 100 }
    await using troupe = plainPool({ workers: undefined, ...elastic })
    const { pool } = troupe
    const seen = sizes(pool)
    pool.start()
    const file = join(folder, 'elastic')
    const handles = Array.from({ length: 12 }, () => pool.submit('waitFor', file))
    await expect.poll(() => pool.status().activeWorkers, POLL).toBe(3)
    expect(seen).toEqual([2, 3])
    await writeFile(file, 'go')
    for (const handle of handles) {
      expect(await handle.outcome()).toMatchObject({ status: 'succeeded', attempts: 1 })
    }
    await expect.poll(() => pool.status().activeWorkers, POLL).toBe(1)
    expect(seen).toEqual([2, 3, 2, 1])
    expect(pool.status().tasks).toMatchObject({ succeeded: 12, retried: 0 })
  })

  test('does not grow while memory is short, and gives workers back', async () => {
    const readings = new InjectedReadings()
    const elastic = { minWorkers: 1, maxWorkers: 3 }
    await using troupe = plainPool({ workers: undefined, ...elastic }, readings.world)
    const { pool } = troupe
    const seen = sizes(pool)
    pool.start()
    await nextEvent(pool as never, 'worker.ready')
    const file = join(folder, 'short')
    const handles = Array.from({ length: 4 }, () => pool.submit('waitFor', file))
    await nextEvent(pool as never, 'task.started')
    readings.see({ memory: 0.8 })
    readings.see({ memory: 0.8 })
    expect(pool.status()).toMatchObject({ memory: { band: 'pressure' } })
    expect(seen).toEqual([])
    readings.pass(6_000)
    readings.see({ memory: 0.5 })
    readings.see({ memory: 0.5 })
    await expect.poll(() => pool.status().activeWorkers, POLL).toBe(2)
    expect(seen).toEqual([2])
    readings.see({ memory: 0.8 })
    expect(seen).toEqual([2])
    readings.pass(6_000)
    readings.see({ memory: 0.8 })
    expect(seen).toEqual([2, 1])
    await writeFile(file, 'go')
    for (const handle of handles) expect((await handle.outcome()).attempts).toBe(1)
  })

  test('cannot be scaled past its bounds', async () => {
    await using troupe = plainPool({ workers: undefined, minWorkers: 1, maxWorkers: 2 })
    const { pool } = troupe
    pool.start()
    await nextEvent(pool as never, 'worker.ready')
    await expect(pool.scaleUp(2)).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
    await expect(pool.scaleDown()).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
  })
})

describe('a pool scaled by hand', () => {
  test('has so many more and so many fewer', async () => {
    await using troupe = plainPool()
    const { pool } = troupe
    pool.start()
    await pool.scaleUp(2)
    expect(pool.status().activeWorkers).toBe(3)
    await pool.scaleDown()
    expect(states(pool)).toEqual(['worker-1 ready.idle', 'worker-2 ready.idle', 'worker-3 stopped'])
    await expect(pool.scaleDown(2)).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
    expect(() => pool.scaleUp(0)).toThrow(/by/)
  })
})

describe('a spare that stands by', () => {
  /** Resolves with who serves and who stands by, once somebody does. Whoever was first serves. */
  const roles = async (pool: Pool) => {
    const find = (state: RegExp) => pool.status().workers.find((worker) => state.test(worker.state))
    await expect
      .poll(() => [find(/^ready/), find(/^standby/)].includes(undefined), POLL)
      .toBe(false)
    const [serving, spare] = [find(/^ready/), find(/^standby/)]
    if (!serving?.pid || !spare?.pid) throw new Error('somebody has just gone')
    return { serving: { ...serving, pid: serving.pid }, spare: { ...spare, pid: spare.pid } }
  }

  test('takes no task until it is called', async () => {
    await using troupe = plainPool({ standby: 1 })
    const { pool } = troupe
    pool.start()
    const { serving } = await roles(pool)
    const pids = await Promise.all([1, 2, 3, 4].map(() => pool.run('whoami', null)))
    expect(pids.map(({ pid }) => pid)).toEqual(Array(4).fill(serving.pid))
    expect(pool.status()).toMatchObject({ activeWorkers: 1, health: 'healthy' })
  })

  test('serves in the turn in which the loss of another is known, and the lost one is the next spare', async () => {
    await using troupe = plainPool({ standby: 1 })
    const { pool } = troupe
    pool.start()
    const { serving, spare } = await roles(pool)
    const stateThen = new Promise((resolve) => {
      pool.on('worker.exited', () => setImmediate(() => resolve(stateOf(pool, spare.slot))))
    })
    process.kill(serving.pid, 'SIGKILL')
    expect(await stateThen).toBe('ready.idle')
    expect((await pool.run('whoami', null)).pid).toBe(spare.pid)
    const next = await roles(pool)
    expect([next.serving.slot, next.spare.slot]).toEqual([spare.slot, serving.slot])
    process.kill(next.serving.pid, 'SIGKILL')
    expect((await pool.run('whoami', null)).pid).toBe(next.spare.pid)
  })

  test('is the first to serve when one more is wanted, and another is made', async () => {
    await using troupe = plainPool({ standby: 1 })
    const { pool } = troupe
    pool.start()
    const { spare } = await roles(pool)
    const scaled = pool.scale(2)
    expect(stateOf(pool, spare.slot)).toBe('ready.idle')
    await scaled
    await expect.poll(() => stateOf(pool, 'worker-3'), POLL).toBe('standby')
    expect(pool.status().processesStarted).toBe(3)
  })

  test('that dies itself is made anew, and nobody else notices', async () => {
    await using troupe = plainPool({ standby: 1 })
    const { pool } = troupe
    pool.start()
    const { serving, spare } = await roles(pool)
    const exited = nextEvent(pool as never, 'worker.exited')
    process.kill(spare.pid, 'SIGKILL')
    await exited
    const next = await roles(pool)
    expect(next.serving.pid).toBe(serving.pid)
    expect(next.spare.pid).not.toBe(spare.pid)
  })

  test('is let go while memory is short, and comes back', async () => {
    const readings = new InjectedReadings()
    await using troupe = plainPool({ standby: 1 }, readings.world)
    const { pool } = troupe
    pool.start()
    const { spare } = await roles(pool)
    const held = pool.submit('wait', 60_000)
    await nextEvent(pool as never, 'task.started')
    readings.see({ memory: 0.8 })
    await expect.poll(() => stateOf(pool, spare.slot), POLL).toBe('stopped')
    readings.pass(6_000)
    readings.see({ memory: 0.5 })
    await roles(pool)
    held.cancel()
  })
})
