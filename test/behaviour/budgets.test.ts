/**
 * G2. The wait in the queue, the start of a worker, the run of a task and the close of a worker each have a budget of
 * their own: none is spent on another.
 */
import { expect, test, vi } from 'vitest'
import { parseConfig } from '../../src/config/parse.ts'
import type { PoolOptions } from '../../src/index.ts'
import { type FakeScript, fakeBrowserUrl } from '../support/fake-browser.ts'
import { poolUnderTest } from '../support/pool-under-test.ts'

type Tasks = typeof import('../fixtures/slow-session-tasks.ts')
/** Far longer than a run may take in these tests. */
const SLOW_MS = 900
const TIMEOUT_MS = 450

function slowPool(script: FakeScript, loginMs = 0, options: Partial<PoolOptions> = {}) {
  const tasks = new URL('../fixtures/slow-session-tasks.ts', import.meta.url)
  tasks.searchParams.set('loginMs', String(loginMs))
  const browser = { executablePath: '/no/browser', driver: fakeBrowserUrl(script) }
  return poolUnderTest<Tasks>({ tasks, workers: 1, browser, ...options })
}

test('a slow start is not counted as run, nor a run as wait', async () => {
  await using troupe = slowPool({ launchMs: SLOW_MS })
  const { pool } = troupe
  pool.start()
  const outcome = await pool.submit('work', 1, { timeout: TIMEOUT_MS, attempts: 1 }).outcome()
  expect(outcome).toMatchObject({ status: 'succeeded' })
  expect(outcome.waitMs).toBeGreaterThanOrEqual(SLOW_MS)
  expect(outcome.runMs).toBeLessThan(TIMEOUT_MS)
  const long = await pool.submit('work', 400, { queueTimeout: 200, attempts: 1 }).outcome()
  expect(long).toMatchObject({ status: 'succeeded' })
})

test('a login that is done again is not counted as run', async () => {
  await using troupe = slowPool({}, SLOW_MS)
  const { pool } = troupe
  pool.start()
  const options = { timeout: TIMEOUT_MS, attempts: 1 }
  expect(await pool.run('expireOnce', null, options)).toBe(2)
})

test('a browser that is launched again is not counted as run', async () => {
  await using troupe = slowPool({ launchMs: SLOW_MS })
  const { pool } = troupe
  pool.start()
  await pool.run('work', 1)
  const browserPid = () => pool.status().workers[0]?.browserPid
  process.kill(browserPid() ?? 0, 'SIGKILL')
  await vi.waitFor(() => expect(browserPid()).toBe(null))
  const outcome = await pool.submit('work', 1, { timeout: TIMEOUT_MS, attempts: 1 }).outcome()
  expect(outcome).toMatchObject({ status: 'succeeded' })
})

test('a handler that blocks with its first step has only its own timeout', async () => {
  await using troupe = slowPool({})
  const { pool } = troupe
  pool.start()
  const before = performance.now()
  const outcome = await pool.submit('block', null, { timeout: 300, attempts: 1 }).outcome()
  expect(outcome).toMatchObject({ status: 'failed', error: { code: 'TASK_TIMED_OUT' } })
  expect(performance.now() - before).toBeLessThan(20_000)
})

test('a run that is too long is still stopped by its own timeout', async () => {
  await using troupe = slowPool({})
  const { pool } = troupe
  pool.start()
  await pool.run('work', 1)
  const before = performance.now()
  const outcome = await pool.submit('work', 60_000, { timeout: 300, attempts: 1 }).outcome()
  expect(outcome).toMatchObject({ status: 'failed', error: { code: 'TASK_TIMED_OUT' } })
  expect(performance.now() - before).toBeLessThan(20_000)
})

test('a start that takes longer than its own budget is given up, whatever the task may take', async () => {
  await using troupe = slowPool({ launch: 'hang' }, 0, { startTimeout: 600 })
  const { pool } = troupe
  pool.start()
  const outcome = await pool.submit('work', 1, { timeout: 60_000, queueTimeout: 6_000 }).outcome()
  expect(outcome.status).toBe('failed')
  expect(outcome.attempts).toBe(0)
})

test('a slow close neither delays the end of a task nor counts as run', async () => {
  await using troupe = slowPool({ closeMs: SLOW_MS }, 0, { maxTasksPerWorker: 1 })
  const { pool } = troupe
  pool.start()
  const outcomes = []
  for (let round = 0; round < 3; round++) {
    outcomes.push(await pool.submit('work', 1, { timeout: TIMEOUT_MS, attempts: 1 }).outcome())
  }
  expect(outcomes.map(({ status }) => status)).toEqual(['succeeded', 'succeeded', 'succeeded'])
  for (const { runMs } of outcomes) expect(runMs).toBeLessThan(TIMEOUT_MS)
})

test('a budget of 0 is none', async () => {
  await using troupe = slowPool({})
  const { pool } = troupe
  pool.start()
  const none = { timeout: 0, queueTimeout: 0, deadline: 0, delay: 0 }
  expect(await pool.run('work', 600, none)).toBe(1)
})

test.each([{ startTimeout: 0 }, { closeTimeout: 0 }, { browser: { launchTimeout: 0 } }])(
  '%j is refused: a process without that limit could keep its place for ever',
  (options) => {
    const name = 'browser' in options ? 'browser.launchTimeout' : Object.keys(options)[0]
    const tasks = './tasks.ts'
    expect(() => parseConfig({ tasks, ...options })).toThrow(
      `${name} must be a whole number of ms from 1`,
    )
  },
)
