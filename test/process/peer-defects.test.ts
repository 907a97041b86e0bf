/**
 * What other browser pools are known to get wrong, as our own behaviour: each test is named for
 * what must hold. Most were seen by running puppeteer-cluster, or are asked for in its issues and
 * those of its kin. With a scripted browser.
 */
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { PoolOptions } from '../../src/index.ts'
import { isAlive, processesUnder } from '../../src/process/process-group.ts'
import { type FakeScript, fakeBrowserUrl } from '../support/fake-browser.ts'
import { nextEvent, type PoolUnderTest, poolUnderTest } from '../support/pool-under-test.ts'
import { flakyBrowserUrl } from './flaky-browser.ts'

type Tasks = typeof import('./peer-defects.tasks.ts')

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'troupe-peers-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** G3's own limit. What was sent SIGKILL needs a moment to die. */
const GONE = { timeout: 2_000, interval: 10 } as const

/** A loaded machine takes seconds to fork. */
const STARTED = { timeout: 20_000, interval: 5 } as const

interface FakeOptions extends Omit<Partial<PoolOptions>, 'browser'> {
  readonly script?: FakeScript
  readonly browser?: PoolOptions['browser']
}

function fakePool({ script = {}, ...options }: FakeOptions = {}): PoolUnderTest<Tasks> {
  return poolUnderTest<Tasks>({
    tasks: new URL('./peer-defects.tasks.ts', import.meta.url),
    workers: 1,
    ...options,
    browser: { driver: fakeBrowserUrl(script), ...options.browser },
    restart: { minBackoff: 20, ...options.restart },
  })
}

/** A profile is deleted after the exit of its process was told. */
async function profilesBecome({ census }: PoolUnderTest<Tasks>, expected: string[]): Promise<void> {
  const [run = ''] = await readdir(census.root)
  const look = async () => {
    const names = await readdir(join(census.root, run, 'profiles'))
    return names.filter((name) => name.startsWith('worker-'))
  }
  await expect.poll(look, GONE).toEqual(expected)
}

/** Pids of this pool's fake browsers that live. */
function browsersOf({ census }: PoolUnderTest<Tasks>): readonly number[] {
  return processesUnder(`--user-data-dir=${census.root}`).pids.filter(isAlive)
}

describe('a launch', () => {
  test('that fails costs its slot a wait, not its place', async () => {
    const driver = flakyBrowserUrl(join(folder, 'flaky'), 2)
    await using troupe = fakePool({ browser: { driver } })
    const { pool } = troupe
    pool.start()
    expect(await pool.run('whoami', null)).toMatchObject({ attempt: 1 })
    expect(pool.status()).toMatchObject({ state: 'running', processesStarted: 3 })
    await profilesBecome(troupe, ['worker-1.3'])
  })

  test('that can never succeed leaves nobody in limbo', async () => {
    await using troupe = fakePool({ script: { launch: 'missing' } })
    const { pool } = troupe
    pool.start()
    const handles = Array.from({ length: 5 }, () => pool.submit('whoami', null))
    for (const handle of handles) {
      expect(await handle.outcome()).toMatchObject({
        status: 'failed',
        error: { code: 'BROWSER_NOT_FOUND' },
      })
    }
    expect(pool.status().tasks).toMatchObject({ pending: 0, active: 0, failed: 5 })
  })

  test('that takes long is not taken for a dead worker', async () => {
    await using troupe = fakePool({
      script: { launchMs: 2_000 },
      heartbeatInterval: 50,
      zombieAfter: 1_000,
    })
    troupe.pool.start()
    expect(await troupe.pool.run('whoami', null)).toMatchObject({ attempt: 1 })
    expect(troupe.pool.status().processesStarted).toBe(1)
  })

  test('that hangs is given up, its browser and its profile cleared away', async () => {
    await using troupe = fakePool({
      script: { launch: 'hang' },
      browser: { launchTimeout: 200 },
      restart: { minBackoff: 60_000, maxBackoff: 60_000 },
    })
    const { pool } = troupe
    pool.start()
    await nextEvent(pool as never, 'worker.exited')
    await profilesBecome(troupe, [])
    await expect.poll(() => browsersOf(troupe), GONE).toEqual([])
  })
})

describe('a browser that dies', () => {
  test.each<[string, FakeScript, number]>([
    ['and whose next launch fails, is launched once more', { relaunchFailures: 1 }, 1],
    [
      'and can no longer be launched, costs its worker and not the slot',
      { relaunchFailures: 9 },
      2,
    ],
  ])('%s (a clean context for each task)', async (_, script, processesStarted) => {
    await using troupe = fakePool({ script, browser: { isolation: 'context' } })
    const { pool } = troupe
    pool.start()
    const outcome = await pool.submit('killBrowser', null, { attempts: 1 }).outcome()
    expect(outcome).toMatchObject({ status: 'failed', error: { code: 'BROWSER_LOST' } })
    expect(await pool.run('whoami', null)).toBeDefined()
    expect(pool.status()).toMatchObject({ state: 'running', processesStarted })
  })

  test('with all others at once, wedges nothing', async () => {
    await using troupe = fakePool({ workers: 3 })
    const { pool } = troupe
    pool.start()
    while (pool.status().workers.filter(({ browserPid }) => browserPid !== null).length < 3) {
      await nextEvent(pool as never, 'worker.ready')
    }
    const before = pool.status().workers.map(({ browserPid }) => browserPid ?? 0)
    const ready = before.map((_, index) =>
      nextEvent(
        pool as never,
        'worker.ready',
        (event) => (event as { slot: string }).slot === `worker-${index + 1}`,
      ),
    )
    for (const pid of before) process.kill(pid, 'SIGKILL')
    await Promise.all(ready)
    await Promise.all(Array.from({ length: 30 }, () => pool.run('whoami', null)))
    const after = pool.status().workers.map(({ browserPid }) => browserPid)
    expect(after.filter((pid) => pid === null || before.includes(pid))).toEqual([])
    await expect.poll(() => before.filter(isAlive), GONE).toEqual([])
    expect(pool.status().processesStarted).toBe(3)
  })
})

describe('a browser that does not close', () => {
  test('is gone when its worker has been replaced', async () => {
    await using troupe = fakePool({ script: { close: 'hang' }, closeTimeout: 200 })
    const { pool } = troupe
    pool.start()
    const exited = nextEvent(pool as never, 'worker.exited')
    const browserPid = await pool.run('retire', null)
    await exited
    await expect.poll(() => isAlive(browserPid), GONE).toBe(false)
    expect((await pool.run('whoami', null)).browserPid).not.toBe(browserPid)
    await profilesBecome(troupe, ['worker-1.2'])
  })

  test('holds up no shutdown, and does not outlive it', async () => {
    await using troupe = fakePool({ script: { close: 'hang' }, closeTimeout: 200 })
    const { pool } = troupe
    pool.start()
    const { browserPid } = await pool.run('whoami', null)
    await pool.shutdown()
    await expect.poll(() => isAlive(browserPid), GONE).toBe(false)
  })
})

describe('a shutdown in the middle of a start', () => {
  test.each<[string, FakeScript, number]>([
    ['before the first process', {}, 0],
    ['while a browser is launched', { launch: 'hang' }, 2],
    ['while a tab is opened', { openTab: 'hang' }, 2],
  ])('%s settles what waits, and leaves nothing (census)', async (_, script, browsers) => {
    await using troupe = fakePool({ script, workers: 2, closeTimeout: 200 })
    const { pool } = troupe
    pool.start()
    const handles = Array.from({ length: 4 }, () => pool.submit('crowd', 60_000))
    await expect.poll(() => browsersOf(troupe).length, STARTED).toBe(browsers)
    await pool.shutdown({ force: true })
    for (const handle of handles) {
      expect(await handle.outcome()).toMatchObject({ status: 'cancelled' })
    }
  })
})

describe('a task', () => {
  test('with an id of its own is tried again as often as any other', async () => {
    await using troupe = fakePool()
    troupe.pool.start()
    const options = { id: 'PO-001', attempts: 3 }
    const outcome = await troupe.pool.submit('fail', 'on purpose', options).outcome()
    expect(outcome).toMatchObject({ taskId: 'PO-001', status: 'failed', attempts: 3 })
  })

  test('that waits for its next start is not started after a shutdown', async () => {
    await using troupe = fakePool()
    const { pool } = troupe
    pool.start()
    const retried = nextEvent(pool as never, 'task.retried')
    const handle = pool.submit('fail', 'x', { attempts: 5, backoff: { delay: 60_000 } })
    await retried
    await pool.shutdown()
    expect(await handle.outcome()).toMatchObject({ status: 'cancelled', attempts: 1 })
  })

  test('is not charged for the time it waited', async () => {
    await using troupe = fakePool()
    const { pool } = troupe
    pool.start()
    const first = pool.submit('wait', 300)
    const second = pool.submit('wait', 1)
    await first.outcome()
    const { waitMs, runMs } = await second.outcome()
    expect(waitMs).toBeGreaterThanOrEqual(290)
    expect(runMs).toBeLessThan(waitMs)
  })

  test('given up while it waits, ends in its own time and disturbs no other that waits', async () => {
    await using troupe = fakePool()
    const { pool } = troupe
    pool.start()
    const file = join(folder, 'waiters')
    const started = nextEvent(pool as never, 'task.started')
    const running = pool.submit('waitFor', file)
    await started
    const controller = new AbortController()
    const order: string[] = []
    const note = (name: string) => (outcome: { status: string }) => {
      order.push(`${name} ${outcome.status}`)
    }
    const aborted = pool.submit('wait', 1, { signal: controller.signal }).outcome()
    const later = pool.submit('wait', 1, { queueTimeout: 120 }).outcome()
    const sooner = pool.submit('wait', 1, { queueTimeout: 40 }).outcome()
    const patient = pool.submit('wait', 1).outcome()
    const all = [
      aborted.then(note('aborted')),
      later.then(note('later')),
      sooner.then(note('sooner')),
      patient.then(note('patient')),
    ]
    controller.abort()
    await later
    await writeFile(file, 'go')
    await Promise.all([running.outcome(), ...all])
    expect(order).toEqual([
      'aborted cancelled',
      'sooner failed',
      'later failed',
      'patient succeeded',
    ])
  })

  test('is not harmed by who listens to it', async () => {
    await using troupe = fakePool()
    const { pool } = troupe
    pool.start()
    const bad = () => {
      throw new Error('a listener of poor quality')
    }
    for (const type of ['task.started', 'task.succeeded', 'worker.ready'] as const)
      pool.on(type, bad)
    const handle = pool.submit('wait', 5)
    handle.onProgress(bad)
    expect(await handle.result()).toBe(5)
    expect(await pool.run('wait', 6)).toBe(6)
  })
})

describe('a worker', () => {
  test('has never more tasks at work than it has places', async () => {
    await using troupe = fakePool({ concurrentTasksPerWorker: 3 })
    const { pool } = troupe
    pool.start()
    const peaks = await Promise.all(
      Array.from({ length: 40 }, (_, index) => pool.run('crowd', index % 4)),
    )
    expect(Math.max(...peaks)).toBe(3)
  })

  test('that has done its share is not closed under the last of its tasks', async () => {
    await using troupe = fakePool({ concurrentTasksPerWorker: 2, maxTasksPerWorker: 3 })
    const { pool } = troupe
    pool.start()
    const file = join(folder, 'last')
    const long = pool.submit('waitFor', file, { attempts: 1 })
    await nextEvent(pool as never, 'task.started')
    const { pid } = await pool.run('whoami', null)
    let next = pid
    while (next === pid) next = (await pool.run('whoami', null)).pid
    expect(isAlive(pid)).toBe(true)
    const exited = nextEvent(pool as never, 'worker.exited')
    await writeFile(file, 'go')
    expect(await long.outcome()).toMatchObject({ status: 'succeeded', value: pid, attempts: 1 })
    expect(await exited).toMatchObject({ cause: 'recycled', incarnation: 1 })
  })

  test('is one of a few that serve hundreds without a deadlock', async () => {
    await using troupe = fakePool({ workers: 3, maxTasksPerWorker: 50 })
    const { pool } = troupe
    pool.start()
    const seen = await Promise.all(Array.from({ length: 200 }, () => pool.run('whoami', null)))
    expect(seen.length).toBe(200)
    expect(pool.status().tasks).toMatchObject({ succeeded: 200, pending: 0, active: 0 })
  })
})
