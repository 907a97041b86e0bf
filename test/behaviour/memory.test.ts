/**
 * Short of memory or disk (G7): what each band does, the limits of one worker, who is told. Real
 * processes; the readings are the test's own, but for the last tests, which really take memory.
 */
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { PoolActor, PoolOptions } from '../../src/index.ts'
import { nothingLeft, takeCensus } from '../support/census.ts'
import { makeControlGroup } from '../support/control-group.ts'
import { InjectedReadings } from '../support/injected-readings.ts'
import { nextEvent, type PlainTasks, plainPool, poolUnderTest } from '../support/pool-under-test.ts'

type MemoryTasks = typeof import('../fixtures/memory-tasks.ts')
const MEMORY_TASKS = new URL('../fixtures/memory-tasks.ts', import.meta.url)
const HOARDING_HOST = new URL('../fixtures/hoarding-host.ts', import.meta.url).pathname

type Pool = PoolActor<PlainTasks>
const POLL = { timeout: 10_000, interval: 5 } as const
const MB = 1_000_000

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'troupe-memory-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const whenServing = (pool: Pool, count: number) =>
  expect.poll(() => pool.status().activeWorkers, POLL).toBe(count)
const codes = (pool: Pool) => pool.status().alerts.map(({ code }) => code)
const worker = (pool: Pool, slot: string) => {
  const found = pool.status().workers.find((one) => one.slot === slot)
  if (found === undefined) throw new Error(`there is no ${slot}`)
  return found
}

describe('a machine short of memory', () => {
  test('under pressure, the largest idle worker is recycled, and no other', async () => {
    const readings = new InjectedReadings()
    await using troupe = plainPool({ workers: 3 }, readings.world)
    const { pool } = troupe
    pool.start()
    await whenServing(pool, 3)
    const held = pool.submit('wait', 60_000)
    await nextEvent(pool as never, 'task.started')
    const busy = held.status().worker
    const idle = pool.status().workers.filter(({ slot }) => slot !== busy)
    const [small, large] = idle.map(({ slot }) => slot)
    const exited = nextEvent(pool as never, 'worker.exited')
    readings.see({ memory: 0.8, bytes: { [`${busy}#1`]: 300 * MB, [`${large}#1`]: 200 * MB } })
    expect(await exited).toMatchObject({ slot: large, cause: 'recycled' })
    expect(codes(pool)).toEqual(['MEMORY_PRESSURE'])
    await whenServing(pool, 3)
    expect(worker(pool, small ?? '').incarnation).toBe(1)
    held.cancel()
  })

  test('near its limit, nothing starts and the largest worker goes, its task released', async () => {
    const readings = new InjectedReadings()
    await using troupe = plainPool({ workers: 2 }, readings.world)
    const { pool } = troupe
    const bands: string[] = []
    pool.on('memory.changed', ({ band }) => bands.push(band))
    pool.start()
    await whenServing(pool, 2)
    const file = join(folder, 'critical')
    const [first, second] = [1, 2].map(() => pool.submit('waitFor', file, { attempts: 1 }))
    await expect.poll(() => pool.status().tasks.active, POLL).toBe(2)
    const exited = nextEvent(pool as never, 'worker.exited')
    readings.see({ memory: 0.95, bytes: { 'worker-1#1': 100 * MB, 'worker-2#1': 300 * MB } })
    expect(await exited).toMatchObject({ slot: 'worker-2', cause: 'memoryShortage' })
    const waiting = pool.submit('echo', 'later')
    await whenServing(pool, 2)
    expect(pool.status().tasks).toMatchObject({ active: 1, pending: 2 })
    readings.pass(6_000)
    readings.see({ memory: 0.5 })
    await writeFile(file, 'go')
    expect(await waiting.outcome()).toMatchObject({ status: 'succeeded' })
    // It cost neither of them its only attempt.
    expect((await first?.outcome())?.status).toBe('succeeded')
    expect((await second?.outcome())?.status).toBe('succeeded')
    expect(bands).toEqual(['critical', 'normal'])
    expect(codes(pool)).toEqual([])
  })

  test('tells who asked, at the ratio they chose, with hysteresis', async () => {
    const readings = new InjectedReadings()
    await using troupe = plainPool({}, readings.world)
    const { pool } = troupe
    const reported: string[] = []
    const send = (name: string) => (level: { isPast: boolean; ratio: number }) =>
      reported.push(`${name} ${level.isPast} ${level.ratio}`)
    pool.onMemory(0.3, () => {
      throw new Error('a listener of no use')
    })
    const { unsubscribe } = pool.onMemory(0.5, send('half'))
    pool.onMemory(0.6, send('more'))
    pool.start()
    await whenServing(pool, 1)
    for (const memory of [0.4, 0.5, 0.55, 0.61, 0.57, 0.46, 0.44]) readings.see({ memory })
    expect(reported).toEqual([
      'half true 0.5',
      'more true 0.61',
      'more false 0.46',
      'half false 0.44',
    ])
    unsubscribe()
    readings.see({ memory: 0.7 })
    expect(reported.at(-1)).toBe('more true 0.7')
    pool.onMemory(0.65, send('late'))
    expect(reported.at(-1)).toBe('late true 0.7')
    for (const ratio of [0, 1.1, Number.NaN]) {
      expect(() => pool.onMemory(ratio, send('never'))).toThrow(/ratio/)
    }
    expect(pool.status()).toMatchObject({
      memory: { usedRatio: 0.7, limitBytes: 1_000 * MB, band: 'normal', workersBytes: 50 * MB },
      processor: { usedRatio: 0.5 },
      disk: { totalBytes: 10_000 * MB },
    })
  })
})

describe('a worker past its own limit', () => {
  test('the soft one: is replaced before it goes, and ends its task', async () => {
    const readings = new InjectedReadings()
    await using troupe = plainPool({ maxWorkerMemory: 100 * MB }, readings.world)
    const { pool } = troupe
    const reported: string[] = []
    pool.on('worker.ready', ({ incarnation }) => reported.push(`ready ${incarnation}`))
    pool.on('worker.exited', ({ incarnation, cause }) => reported.push(`${cause} ${incarnation}`))
    pool.start()
    await whenServing(pool, 1)
    const file = join(folder, 'soft')
    const held = pool.submit('waitFor', file, { attempts: 1 })
    await nextEvent(pool as never, 'task.started')
    readings.see({ bytes: { 'worker-1#1': 101 * MB } })
    expect(codes(pool)).toEqual(['WORKER_MEMORY'])
    await expect.poll(() => reported, POLL).toContain('ready 2')
    await writeFile(file, 'go')
    expect(await held.outcome()).toMatchObject({ status: 'succeeded', attempts: 1 })
    await expect.poll(() => reported, POLL).toEqual(['ready 1', 'ready 2', 'recycled 1'])
    expect(codes(pool)).toEqual([])
  })

  test('the hard one: is killed though it is busy, and its task pays an attempt', async () => {
    const readings = new InjectedReadings()
    const limits = { maxWorkerMemory: 100 * MB, maxWorkerMemoryHard: 200 * MB }
    await using troupe = plainPool(limits, readings.world)
    const { pool } = troupe
    pool.start()
    await whenServing(pool, 1)
    const file = join(folder, 'hard')
    const held = pool.submit('waitFor', file, { attempts: 2 })
    await nextEvent(pool as never, 'task.started')
    const exited = nextEvent(pool as never, 'worker.exited')
    readings.see({ bytes: { 'worker-1#1': 201 * MB } })
    expect(codes(pool)).toEqual(['WORKER_MEMORY'])
    expect(await exited).toMatchObject({ cause: 'memory', exit: { signal: 'SIGKILL' } })
    await writeFile(file, 'go')
    expect(await held.outcome()).toMatchObject({ status: 'succeeded', attempts: 2 })
  })
})

describe('a disk with less room than its floor', () => {
  test('holds what waits, says so, and goes on when there is room again', async () => {
    const readings = new InjectedReadings()
    await using troupe = plainPool({ diskFloor: 100 * MB }, readings.world)
    const { pool } = troupe
    pool.start()
    await whenServing(pool, 1)
    readings.see({ diskFreeBytes: 99 * MB })
    expect(codes(pool)).toEqual(['DISK_LOW'])
    const handle = pool.submit('echo', 1)
    // Just above the floor is not enough: it would be below it again at once.
    readings.see({ diskFreeBytes: 105 * MB })
    expect(await handle.wait(50)).toBeNull()
    expect(handle.status().state).toBe('queued')
    readings.see({ diskFreeBytes: 111 * MB })
    expect(await handle.outcome()).toMatchObject({ status: 'succeeded' })
    expect(codes(pool)).toEqual([])
  })
})

describe('memory that is really taken', () => {
  const pool = (options: Partial<PoolOptions>) =>
    poolUnderTest<MemoryTasks>({
      tasks: MEMORY_TASKS,
      workers: 1,
      heartbeatInterval: 50,
      ...options,
    })

  test('past the soft limit: another process does the next task', async () => {
    await using troupe = pool({ maxWorkerMemory: 150 * MB })
    troupe.pool.start()
    const first = await troupe.pool.run('hoard', 200)
    await nextEvent(troupe.pool as never, 'worker.exited')
    expect(await troupe.pool.run('hoard', 1)).not.toBe(first)
    expect(troupe.pool.status().memory.workersBytes).toBeGreaterThan(20 * MB)
  })

  test('past the hard limit: the task is stopped where it is and done elsewhere', async () => {
    await using troupe = pool({ maxWorkerMemoryHard: 150 * MB })
    troupe.pool.start()
    const handle = troupe.pool.submit('burst', 200, { attempts: 2 })
    const exited = nextEvent(troupe.pool as never, 'worker.exited')
    expect(await exited).toMatchObject({ cause: 'memory' })
    expect(await handle.outcome()).toMatchObject({ status: 'succeeded', attempts: 2 })
  })

  test('past the heap that Node allows: the worker dies, the task is tried again', async () => {
    using _ = environment('NODE_OPTIONS', '--max-old-space-size=64')
    await using troupe = pool({})
    troupe.pool.start()
    const exited = nextEvent(troupe.pool as never, 'worker.exited')
    const handle = troupe.pool.submit('overflow', null)
    expect(await exited).toMatchObject({ cause: 'crashed', exit: { signal: 'SIGABRT' } })
    expect(await handle.outcome()).toMatchObject({ status: 'succeeded', attempts: 2 })
  })

  const limitBytes = 320 * 1024 * 1024
  const group = makeControlGroup(limitBytes)
  const problem = typeof group === 'string' ? group : ''

  test.skipIf(problem !== '')(
    `in a control group of 320 MB, a leak of 360 MB ends well ${problem}`,
    { timeout: 60_000 },
    async () => {
      if (typeof group === 'string') return
      using census = takeCensus()
      using _ = group
      const host = group.start([HOARDING_HOST, census.root, '30', '12'])
      const said: string[] = []
      host.stdout?.setEncoding('utf8').on('data', (text: string) => said.push(text))
      expect(await once(host, 'exit')).toEqual([0, null])
      const reported = JSON.parse(said.join(''))
      expect(reported).toMatchObject({ succeeded: 30, limitBytes })
      expect(reported.bands).toContain('pressure')
      // The pool made room itself: the kernel had to kill nobody.
      expect(group.killed() ?? 0).toBe(0)
      await nothingLeft(census, { withinMs: 2_000 })
    },
  )
})

function environment(name: string, value: string): Disposable {
  const before = process.env[name]
  process.env[name] = value
  return {
    [Symbol.dispose]: () => {
      if (before === undefined) delete process.env[name]
      else process.env[name] = before
    },
  }
}
