/**
 * A pool without processes does what one with processes does: the same batch through both, outcome by
 * outcome and field by field. What cannot hold without a process (G2 for code that ignores its signal)
 * is shown, too.
 */
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import type { PoolOptions, TaskHandle, TaskOutcome } from '../../src/index.ts'
import type { ProcessFacts } from '../support/census.ts'
import { nextEvent, poolUnderTest } from '../support/pool-under-test.ts'

type Tasks = typeof import('../fixtures/sequential-tasks.ts')
const TASKS = new URL('../fixtures/sequential-tasks.ts', import.meta.url)
const TWO_PIDS = [expect.any(Number), expect.any(Number)]
/** For what must come, on a machine that may be busy. */
const PATIENT = { timeout: 30_000 }
let folder = ''

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'troupe-sequential-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function sequentialPool(options: Partial<PoolOptions> = {}) {
  const troupe = poolUnderTest<Tasks>({
    tasks: TASKS,
    parallel: false,
    cancelGrace: 50,
    ...options,
  })
  troupe.pool.start()
  return troupe
}
type Pool = ReturnType<typeof sequentialPool>['pool']

const shared = { deep: [1] }
const cyclic: { self?: unknown } = {}
cyclic.self = cyclic

/** Every way a task may end, by name. */
const BATCH: Record<string, (pool: Pool) => TaskHandle> = {
  'plain values': (pool) =>
    pool.submit('echo', { a: [1, 'two', null, undefined, true, 2n ** 70n] }),
  'built-in kinds': (pool) =>
    pool.submit('echo', { at: new Date(0), map: new Map([[1, new Set(['x'])]]), text: /x+/g }),
  bytes: (pool) => pool.submit('echo', Buffer.from('żółw')),
  'an error': (pool) => pool.submit('echo', new TypeError('as a value')),
  'shared and cyclic parts': (pool) => pool.submit('echo', { one: shared, two: shared, cyclic }),
  'a changed payload': (pool) => pool.submit('change', { list: [1, 2, 3] }),
  'a failure with its cause': (pool) => pool.submit('fail', 'too far', { attempts: 2 }),
  'a failure for good': (pool) => pool.submit('failForGood', 'no order', { attempts: 3 }),
  'a success at the third start': (pool) => pool.submit('failTwice', 'key', { attempts: 3 }),
  'a timeout that is heard': (pool) => pool.submit('wait', 60_000, { timeout: 40, attempts: 2 }),
  'a deadline': (pool) => pool.submit('wait', 60_000, { deadline: 1_000 }),
  'a timeout that is not': (pool) =>
    pool.submit('never', undefined, { timeout: 40, attempts: 1, metadata: { order: 7 } }),
  'a cancellation': (pool) => {
    const handle = pool.submit('wait', 60_000)
    void nextEvent(pool as never, 'task.started', (event) => isOf(event, handle)).then(() =>
      handle.cancel(),
    )
    return handle
  },
  'a result that cannot be sent': (pool) => pool.submit('unsendable', undefined),
  'an artifact': (pool) => pool.submit('artifact', 'hello'),
  progress: (pool) => pool.submit('steps', 3),
  'a retirement': (pool) => pool.submit('retire', null),
  'a request': (pool) =>
    pool.submit('http-request', { url: 'data:application/json,{"a":1}', as: 'json' }),
  'a page': (pool) => pool.submit('browser.content', { html: '<p>page', as: 'text' }),
  'a page that hangs': (pool) =>
    pool.submit(
      'browser.evaluate',
      { html: '<p>page', script: '(() => { for (;;); })()' },
      { timeout: 400, attempts: 1 },
    ),
  'a page after that': (pool) =>
    pool.submit('browser.evaluate', { html: '<title>t</title>', script: 'document.title' }),
}

function isOf(event: unknown, { id }: TaskHandle): boolean {
  return (event as { taskId?: string }).taskId === id
}

/** All that an outcome says, but for what differs between two runs of anything: its id and its times. */
function facts(outcome: TaskOutcome): unknown {
  const { taskId: _, waitMs: __, runMs: ___, ...rest } = outcome
  if (rest.status === 'succeeded') return rest
  const { code, message, retryable, task, cause } = rest.error
  const { name = null, message: because = null } = (cause ?? {}) as Partial<Error>
  return { ...rest, error: { code, message, retryable, payload: task?.payload, name, because } }
}

function workersSeen(seen: readonly ProcessFacts[]): readonly ProcessFacts[] {
  return seen.filter(({ command }) => /^troupe worker-|child.entry/.test(command))
}

async function play(options: Partial<PoolOptions>) {
  await using troupe = sequentialPool({
    taskTypes: { browser: true },
    cancelGrace: 1_500,
    ...options,
  })
  const { pool } = troupe
  const outcomes: Record<string, unknown> = {}
  const seen: unknown[] = []
  pool.on('task.progress', ({ progress }) => seen.push(progress))
  for (const [name, submit] of Object.entries(BATCH)) {
    outcomes[name] = facts(await submit(pool).outcome())
  }
  const { succeeded, failed, cancelled, retried } = pool.status().tasks
  const workers = workersSeen(troupe.census.seen())
  return { outcomes, counts: { succeeded, failed, cancelled, retried }, seen, workers }
}

describe('a pool without processes', () => {
  test('gives the outcomes that one with processes gives', { timeout: 60_000 }, async () => {
    const here = await play({})
    const there = await play({ parallel: true, workers: 1 })
    for (const name of Object.keys(BATCH)) {
      expect(here.outcomes[name], name).toEqual(there.outcomes[name])
    }
    expect(here.counts).toEqual(there.counts)
    expect(here.seen.at(-1)).toEqual({ step: 3 })
    expect(there.seen.at(-1)).toEqual({ step: 3 })
    expect(here.workers).toEqual([])
    expect(there.workers.length).toBeGreaterThan(0)
    expect(here.outcomes['a page that hangs']).toMatchObject({ error: { code: 'TASK_TIMED_OUT' } })
  })

  test('runs one task at a time, in their order', async () => {
    await using troupe = sequentialPool({ workers: 4, concurrentTasksPerWorker: 4 })
    const started: string[] = []
    const active: number[] = []
    troupe.pool.on('task.started', ({ taskId }) => {
      started.push(taskId)
      active.push(troupe.pool.status().tasks.active)
    })
    const ids = ['a', 'b', 'c', 'd']
    await Promise.all(ids.map((id) => troupe.pool.run('wait', 10, { id })))
    expect({ started, active }).toEqual({ started: ids, active: [1, 1, 1, 1] })
    expect(troupe.pool.status().workers).toMatchObject([{ slot: 'worker-1', pid: null }])
  })

  test('keeps payloads and results apart from the host, as a pipe does', async () => {
    await using troupe = sequentialPool()
    const payload = { list: [1, 2, 3] }
    expect(await troupe.pool.run('change', payload)).toEqual([1, 2, 3, 4])
    expect(payload).toEqual({ list: [1, 2, 3] })
    const sent = { list: [1] }
    const back = await troupe.pool.run('echo', sent)
    expect(back).toEqual(sent)
    expect(back).not.toBe(sent)
  })

  test('cannot stop code that hears nothing, and says so', async () => {
    const file = join(folder, 'late')
    const warnings: string[] = []
    const logger = {
      error() {},
      info() {},
      debug() {},
      warn: (text: string) => warnings.push(text),
    }
    await using troupe = sequentialPool({ logger })
    const handle = troupe.pool.submit('late', { file, ms: 2_000 }, { timeout: 50, attempts: 1 })
    expect(await handle.outcome()).toMatchObject({ error: { code: 'TASK_TIMED_OUT' } })
    expect(existsSync(file)).toBe(false)
    await vi.waitFor(() => expect(existsSync(file)).toBe(true), PATIENT)
    expect(warnings.join('\n')).toContain(
      'runs on: without a process of its own it cannot be killed',
    )
    expect(await troupe.pool.run('echo', 'and goes on')).toBe('and goes on')
  })

  test('says what is wrong with its task file, and starts again', async () => {
    await using troupe = poolUnderTest({
      tasks: new URL('./child-tasks/handlerless.ts', import.meta.url),
      parallel: false,
    })
    troupe.pool.start()
    await vi.waitFor(() => expect(troupe.pool.status().state).toBe('error'), PATIENT)
    expect(troupe.pool.status().lastError).toContain('has no handler for')
    await using good = sequentialPool()
    await good.pool.run('echo', 1)
    await good.pool.shutdown()
    good.pool.start()
    expect(await good.pool.run('echo', 2)).toBe(2)
  })

  test('launches no browser again once it has ended', async () => {
    await using troupe = sequentialPool({ taskTypes: { browser: true } })
    const page = { html: '<p>page', waitFor: '#never' }
    const handle = troupe.pool.submit('browser.content', page)
    await nextEvent(troupe.pool as never, 'task.started')
    await troupe.pool.shutdown({ force: true })
    expect(await handle.outcome()).toMatchObject({ status: 'cancelled' })
    // A relaunch would come within a tenth of it.
    await delay(500)
    expect(troupe.census.leftBehind()).toEqual({ processes: [], folders: [] })
  })

  test('drains, pauses and shuts down as any other', async () => {
    await using troupe = sequentialPool()
    const { pool } = troupe
    await pool.run('echo', 1)
    pool.pause()
    const paused = pool.submit('echo', 2)
    expect(await paused.wait(50)).toBe(null)
    pool.resume()
    expect(await paused.result()).toBe(2)
    const last = pool.submit('wait', 30)
    await pool.drain()
    expect(last.status().state).toBe('succeeded')
    const running = pool.submit('never', undefined)
    await nextEvent(pool as never, 'task.started')
    await pool.shutdown({ force: true })
    expect(await running.outcome()).toMatchObject({ status: 'cancelled' })
  })
})

describe('a pool with sequentialBelow', () => {
  const small = { parallel: true, workers: 2, sequentialBelow: 2 } as const
  const pidsOf = ({ pool }: ReturnType<typeof sequentialPool>) =>
    pool.status().workers.map(({ pid }) => pid)

  test('forks nothing while few tasks are unended', async () => {
    await using troupe = sequentialPool(small)
    for (let index = 0; index < 5; index++) {
      const two = [troupe.pool.run('wait', 5), troupe.pool.run('echo', index)]
      expect(await Promise.all(two)).toEqual([5, index])
    }
    troupe.census.look()
    expect(pidsOf(troupe)).toEqual([null])
    expect(workersSeen(troupe.census.seen())).toEqual([])
  })

  test('grows into its workers, and loses nothing on the way', async () => {
    await using troupe = sequentialPool(small)
    const { pool } = troupe
    expect(await pool.run('echo', 0)).toBe(0)
    const more = Array.from({ length: 60 }, (_, index) => index)
    const outcomes = await Promise.all(
      more.map((index) => pool.submit('wait', 20, { id: `t${index}`, attempts: 1 }).outcome()),
    )
    expect(new Set(outcomes.map(({ status }) => status))).toEqual(new Set(['succeeded']))
    await vi.waitFor(() => expect(pidsOf(troupe)).toEqual(TWO_PIDS), PATIENT)
    expect(pool.status().workers.map(({ incarnation }) => incarnation)).toEqual([2, 1])
    expect(await pool.run('echo', 'one more')).toBe('one more')
  })

  test('grows at once when it is given more before it is up', async () => {
    await using troupe = sequentialPool(small)
    const all = Array.from({ length: 20 }, (_, index) => troupe.pool.run('echo', index))
    expect(await Promise.all(all)).toEqual(all.map((_, index) => index))
    await vi.waitFor(() => expect(pidsOf(troupe)).toEqual(TWO_PIDS), PATIENT)
  })
})

describe('where no process can be forked', () => {
  /** No program starts with a single variable this long: E2BIG. */
  async function withoutForks(action: () => Promise<void>): Promise<void> {
    process.env['TROUPE_TOO_LONG'] = 'x'.repeat(200_000)
    try {
      await action()
    } finally {
      delete process.env['TROUPE_TOO_LONG']
    }
  }

  test("parallel: 'auto' runs the tasks in the pool's own, and says so", async () => {
    const warnings: string[] = []
    const logger = {
      error() {},
      info() {},
      debug() {},
      warn: (text: string) => warnings.push(text),
    }
    await withoutForks(async () => {
      await using troupe = sequentialPool({ parallel: 'auto', workers: 2, logger })
      const all = Array.from({ length: 10 }, (_, index) => troupe.pool.run('echo', index))
      expect(await Promise.all(all)).toEqual(all.map((_, index) => index))
      expect(troupe.pool.status().workers).toMatchObject([{ pid: null }, { pid: null }])
    })
    expect(warnings.join('\n')).toMatch(/no process could be forked \(.*E2BIG/)
  })

  test('any other pool waits for better times', async () => {
    await withoutForks(async () => {
      await using troupe = sequentialPool({ parallel: true, workers: 1 })
      const handle = troupe.pool.submit('echo', 1)
      await vi.waitFor(() => expect(troupe.pool.status().lastError).toContain('E2BIG'), PATIENT)
      expect(handle.status().state).toBe('queued')
    })
  })

  test("parallel: 'auto' forks where it can", async () => {
    await using troupe = sequentialPool({ parallel: 'auto', workers: 1 })
    expect(await troupe.pool.run('echo', 1)).toBe(1)
    expect(troupe.pool.status().workers).toMatchObject([{ pid: expect.any(Number) }])
  })
})
