/**
 * How workers come back (G4, G5): at once, by backoff, by probe once the breaker has opened. Over real
 * processes.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { nextEvent, plainPool, poolUnderTest } from '../support/pool-under-test.ts'

type FragileTasks = typeof import('../fixtures/fragile-tasks.ts')
const NEVER_AGAIN = { minBackoff: 600_000, maxBackoff: 600_000 } as const
const SOONEST_READY_MS = 20
const POLL = { timeout: 20_000, interval: 5 } as const

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'troupe-supervision-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

describe('a worker that dies', () => {
  test('once in a while is started again at once, and the next time only after its backoff', async () => {
    await using troupe = plainPool({ restart: NEVER_AGAIN })
    const { pool } = troupe
    pool.start()
    const first = await pool.run('whoami', null)
    const gone = nextEvent(pool as never, 'worker.exited')
    process.kill(first.pid, 'SIGKILL')
    // A task that it was given while it died would be charged with its end.
    await gone
    const second = await pool.run('whoami', null)
    expect(second.pid).not.toBe(first.pid)
    const exited = nextEvent(pool as never, 'worker.exited')
    process.kill(second.pid, 'SIGKILL')
    await exited
    expect(pool.status().workers[0]).toMatchObject({ state: 'backoff', restarts: 1 })
  })

  test('counts as fresh again once it has lived long enough', async () => {
    await using troupe = plainPool({ restart: { ...NEVER_AGAIN, resetBackoffAfter: 1 } })
    const { pool } = troupe
    pool.start()
    for (let death = 0; death < 3; death++) {
      const { pid } = await pool.run('whoami', null)
      await pool.run('wait', 50)
      process.kill(pid, 'SIGKILL')
    }
    expect((await pool.run('whoami', null)).served).toBe(1)
  })
})

test('a worker that has not confirmed the end of a task is not given another', async () => {
  await using troupe = plainPool({ cancelGrace: 400 })
  const { pool } = troupe
  pool.start()
  const { pid } = await pool.run('whoami', null)
  const stuck = pool.submit('never', null)
  await nextEvent(pool as never, 'task.started')
  const next = pool.submit('whoami', null)
  stuck.cancel()
  expect((await stuck.outcome()).status).toBe('cancelled')
  expect((await next.result()).pid).not.toBe(pid)
})

test('workers that crash too often are left alone for a while, then one is tried, and all come back', async () => {
  const file = join(folder, 'there')
  const tasks = new URL('../fixtures/fragile-tasks.ts', import.meta.url)
  tasks.searchParams.set('file', file)
  await using troupe = poolUnderTest<FragileTasks>({
    tasks,
    workers: 2,
    restart: { minBackoff: 5, maxBackoff: 5, intensity: 3 },
  })
  const { pool } = troupe
  const startsMs: number[] = []
  pool.on('worker.started', () => startsMs.push(performance.now()))
  const opened = nextEvent(pool as never, 'alert.raised')
  pool.start()
  const handle = pool.submit('whoami', null)
  expect(await opened).toMatchObject({ code: 'BREAKER_OPEN' })
  await expect.poll(() => pool.status().workers.every(({ pid }) => pid === null), POLL).toBe(true)
  const before = startsMs.length
  await writeFile(file, '')
  expect(await handle.outcome()).toMatchObject({ status: 'succeeded', attempts: 1 })
  await expect.poll(() => pool.status().activeWorkers, POLL).toBe(2)
  // One was tried, and only when it was ready the other was started: no process is ready that soon.
  const [probe = 0, other = 0, ...more] = startsMs.slice(before)
  expect(other - probe).toBeGreaterThan(SOONEST_READY_MS)
  expect(more).toEqual([])
  expect(pool.status()).toMatchObject({ state: 'running', alerts: [] })
})
