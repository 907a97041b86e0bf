/**
 * Tasks that have to do with each other: who waits for whom, who stands for whom, what is kept of
 * those that ended. With real processes, as a user sees it.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import {
  isTroupeError,
  type PoolActor,
  type PoolOptions,
  type TaskOutcome,
  TroupeError,
} from '../../src/index.ts'
import {
  nextEvent,
  type PlainTasks,
  type PoolUnderTest,
  plainPool,
} from '../support/pool-under-test.ts'

let folder = ''
let troupe: PoolUnderTest<PlainTasks> | null = null
let files = 0

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'troupe-flow-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))
afterEach(async () => {
  await troupe?.[Symbol.asyncDispose]()
  troupe = null
})

function start(options: Partial<PoolOptions> = {}): PoolActor<PlainTasks> {
  troupe = plainPool(options)
  return troupe.pool.start()
}

const file = () => join(folder, `file-${files++}`)
const refusal = (act: () => unknown): TroupeError => {
  try {
    act()
  } catch (error) {
    if (error instanceof TroupeError) return error
  }
  throw new Error('it was not refused')
}
const codeOf = (facts: unknown) => (facts as { code: string }).code
const told = (outcome: TaskOutcome) =>
  outcome.status === 'succeeded' ? outcome.value : `${outcome.status} ${outcome.error.code}`

describe('a task that cannot be taken', () => {
  test('is refused by name and handed back, and nothing is started for it', async () => {
    const pool = start()
    const held = pool.submit('wait', 60_000, { id: 'held' })
    const refused: [string, unknown, object, string, string][] = [
      ['nobody', 1, {}, 'TASK_UNKNOWN', 'there is no task "nobody"'],
      ['echo', { call: () => 1 }, {}, 'PAYLOAD_INVALID', 'payload.call is a function'],
      ['echo', 1, { prio: 1 }, 'CONFIG_INVALID', 'prio is not a task option'],
      ['echo', 1, { priority: -1 }, 'CONFIG_INVALID', 'priority must be a whole number from 0'],
      ['echo', 1, { delay: -1 }, 'CONFIG_INVALID', 'delay must be a whole number of ms from 0'],
      ['echo', 1, { id: 'held' }, 'CONFIG_INVALID', 'id is in use: the task held has not ended'],
      ['echo', 1, { dependsOn: ['x'] }, 'CONFIG_INVALID', 'dependsOn names x, and no such task'],
      ['echo', 1, { cache: { key: 7 } }, 'CONFIG_INVALID', 'cache.key must be a string'],
      ['echo', 1, { retryOn: 'E' }, 'CONFIG_INVALID', 'retryOn must be an array of strings'],
    ]
    await nextEvent(pool as never, 'task.started')
    for (const [name, payload, options, code, message] of refused) {
      const error = refusal(() => pool.submit(name as 'echo', payload, options))
      expect(error.message).toContain(message)
      const { id = expect.any(String) } = options as { id?: string }
      expect(error).toMatchObject({ code, task: { id, name, payload } })
      await expect(pool.run(name as 'echo', payload, options)).rejects.toMatchObject({ code })
    }
    expect(pool.status().tasks).toMatchObject({ submitted: 1, active: 1 })
    held.cancel()
  })
})

describe('tasks that depend on tasks', () => {
  test('start once those have succeeded, and get their results', async () => {
    const pool = start({ concurrentTasksPerWorker: 4 })
    const gate = file()
    const login = pool.submit('waitFor', gate, { id: 'login' })
    const lists = ['a', 'b'].map((id) =>
      pool.submit('gather', id, { id, dependsOn: [login.id], priority: 'urgent' }),
    )
    const all = pool.submit('gather', 'all', { dependsOn: ['a', 'b'] })
    expect([...lists, all].map((handle) => handle.status().state)).toEqual(Array(3).fill('blocked'))
    expect(pool.status().tasks.pending).toBeGreaterThanOrEqual(3)
    writeFileSync(gate, 'the cookie')
    const list = (payload: string) => ({ payload, dependencies: { login: 'the cookie' } })
    expect(told(await all.outcome())).toEqual({
      payload: 'all',
      dependencies: { a: list('a'), b: list('b') },
    })
    const late = pool.submit('gather', 'late', { dependsOn: ['login'] })
    expect(told(await late.outcome())).toEqual(list('late'))
  })

  test('fail with them, down the whole chain, or run all the same', async () => {
    const pool = start()
    const outcomes = pool
      .submitAll([
        { name: 'failForGood', payload: 'no', options: { id: 'root' } },
        { name: 'echo', payload: 1, options: { id: 'child', dependsOn: ['root'] } },
        { name: 'echo', payload: 2, options: { id: 'grandchild', dependsOn: ['child'] } },
        {
          name: 'gather',
          payload: 3,
          options: { dependsOn: ['root', 'grandchild'], dependencyFailure: 'run' },
        },
      ])
      .map((handle) => handle.outcome())
    const [root, child, grandchild, stubborn] = (await Promise.all(outcomes)) as TaskOutcome[]
    expect(told(root as TaskOutcome)).toBe('failed TASK_FAILED')
    expect(child).toMatchObject({
      status: 'failed',
      attempts: 0,
      error: { code: 'DEPENDENCY_FAILED', message: 'it depends on the task root, which failed' },
    })
    expect(told(grandchild as TaskOutcome)).toBe('failed DEPENDENCY_FAILED')
    expect(told(stubborn as TaskOutcome)).toEqual({
      payload: 3,
      dependencies: { root: 'failed TASK_FAILED', grandchild: 'failed DEPENDENCY_FAILED' },
    })
  })

  test('are refused by name when that could never be, and nothing is started', async () => {
    const pool = start()
    const unknown = refusal(() => pool.submit('echo', 1, { id: 'x', dependsOn: ['nobody'] }))
    expect(unknown).toMatchObject({
      code: 'CONFIG_INVALID',
      message: 'dependsOn names nobody, and no such task is known',
      task: { id: 'x', name: 'echo', payload: 1 },
    })
    expect(refusal(() => pool.submit('echo', 1, { id: 'x', dependsOn: ['x'] })).message).toBe(
      'dependsOn names the task itself, x',
    )
    const on = (id: string, ...dependsOn: string[]) =>
      ({ name: 'echo', payload: id, options: { id, dependsOn } }) as const
    const round = refusal(() =>
      pool.submitAll([on('a'), on('b', 'a', 'd'), on('c', 'b'), on('d', 'c')]),
    )
    expect(round.message).toMatch(/^dependsOn goes in a circle: (\w) → (\w) → (\w) → \1$/)
    expect(round.task).toMatchObject({ name: 'echo' })
    expect(refusal(() => pool.submitAll([on('a'), on('a')])).message).toBe('id is used twice: a')
    expect(refusal(() => pool.submitAll([])).message).toBe('tasks must have at least one entry')
    const second = refusal(() => pool.submitAll([on('a'), { name: 'echo', payload: () => 1 }]))
    expect(second).toMatchObject({ code: 'PAYLOAD_INVALID', task: { name: 'echo' } })
    expect(pool.status().tasks.submitted).toBe(0)
  })
})

describe('deduplication', () => {
  test('gives back the task that has not ended; one that failed stands in nobody’s way', async () => {
    const pool = start()
    const counter = file()
    const options = { deduplication: { key: 'PO-1' }, attempts: 1 }
    const payload = { file: counter, times: 2 }
    const first = pool.submit('failUntil', payload, options)
    expect(pool.submit('failUntil', payload, options).id).toBe(first.id)
    expect((await first.outcome()).status).toBe('failed')
    const second = pool.submit('failUntil', payload, options)
    expect(second.id).not.toBe(first.id)
    expect((await second.outcome()).status).toBe('succeeded')
    expect(readFileSync(counter, 'utf8')).toBe('2')
  })

  test('with a ttl gives back a success that is younger', async () => {
    const pool = start()
    const counter = file()
    const options = { deduplication: { key: 'k', ttl: 60_000 } }
    expect(await pool.run('count', counter, options)).toBe(1)
    expect(await pool.run('count', counter, options)).toBe(1)
    expect(await pool.run('count', counter, { deduplication: { key: 'other' } })).toBe(2)
    expect(pool.status().tasks.submitted).toBe(2)
  })
})

describe('the result cache', () => {
  test('answers at once, marked, and with a value of its own', async () => {
    const pool = start()
    const options = { cache: { key: 'k' } }
    const first = (await pool.run('echo', { rows: [1] }, options)) as { rows: number[] }
    first.rows.push(2)
    const outcome = await pool.submit('echo', 'never sent', options).outcome()
    expect(outcome).toMatchObject({
      status: 'succeeded',
      cached: true,
      value: { rows: [1] },
      attempts: 0,
      worker: null,
    })
    expect(pool.status().cache).toMatchObject({ entries: 1, hits: 1, misses: 1 })
  })

  test('is asked by map for each payload', async () => {
    const pool = start()
    const key = (payload: unknown) => String((payload as { key: string }).key)
    const payloads = ['a', 'b', 'a', 'a', 'b'].map((name) => ({ key: name }))
    const cached: unknown[] = []
    const options = { cache: { key }, concurrency: 1, ordered: true }
    for await (const outcome of pool.map('echo', payloads, options)) {
      cached.push(outcome.status === 'succeeded' && outcome.cached === true)
    }
    expect(cached).toEqual([false, false, true, true, true])
  })
})

describe('retryOn', () => {
  test('names what is worth another attempt; all else is permanent', async () => {
    const pool = start()
    const options = { attempts: 3, retryOn: ['ECONNRESET', 'NetworkError'] }
    const starts = async (name: string, code: string) => {
      const counter = file()
      await pool.submit('failAs', { name, code, file: counter }, options).outcome()
      return readFileSync(counter, 'utf8')
    }
    expect(await starts('Error', 'ECONNRESET')).toBe('3')
    expect(await starts('NetworkError', 'E')).toBe('3')
    expect(await starts('TypeError', 'E')).toBe('1')
  })

  test('leaves the loss of a worker to its own rule', async () => {
    const pool = start()
    const handle = pool.submit('exit', 3, { attempts: 2, retryOn: [] })
    expect(await handle.outcome()).toMatchObject({ attempts: 2, error: { code: 'WORKER_LOST' } })
  })
})

describe('dead letters', () => {
  test('are what failed; they can be listed, sent again and deleted', async () => {
    const pool = start()
    const counter = file()
    const payload = { file: counter, times: 2 }
    const options = { id: 'PO-7', attempts: 1, metadata: { shop: 1 } }
    await pool.submit('failUntil', payload, options).outcome()
    for (const text of ['x', 'y']) await pool.submit('failForGood', text, { id: text }).outcome()
    const page = pool.deadLetters.list({ limit: 2 })
    expect(page.letters.map(({ id }) => id)).toEqual(['PO-7', 'x'])
    const rest = pool.deadLetters.list({ after: page.next as number })
    expect([rest.letters.map(({ id }) => id), rest.next]).toEqual([['y'], null])
    expect(pool.deadLetters.list({ name: 'failUntil' }).letters).toHaveLength(1)
    const letter = pool.deadLetters.get('PO-7')
    expect(letter).toMatchObject({ name: 'failUntil', payload, attempts: 1, metadata: { shop: 1 } })
    expect(isTroupeError(letter?.error, 'TASK_FAILED')).toBe(true)

    const again = pool.deadLetters.redrive('PO-7')
    expect(again.id).toBe('PO-7')
    expect(told(await again.outcome())).toEqual({ count: 2, attempt: 1 })
    expect(pool.deadLetters.get('PO-7')).toBe(null)
    const { redriven, refused } = pool.deadLetters.redriveAll({ errorCode: 'TASK_FAILED' })
    expect([redriven.length, refused]).toEqual([2, []])
    await Promise.all(redriven.map((handle) => handle.outcome()))
    expect(pool.status().deadLetters).toMatchObject({ count: 2, dropped: 0 })
    expect([pool.deadLetters.delete('x'), pool.deadLetters.delete('x')]).toEqual([true, false])
    expect(pool.deadLetters.deleteAll()).toBe(1)
    expect(refusal(() => pool.deadLetters.redrive('x')).code).toBe('TASK_UNKNOWN')
  })

  test('stay when they are refused', async () => {
    const pool = start({ maxQueue: 1 })
    await pool.submit('failForGood', 'no', { id: 'a' }).outcome()
    pool.submit('wait', 60_000)
    await nextEvent(pool as never, 'task.started')
    pool.submit('wait', 60_000)
    const { redriven, refused } = pool.deadLetters.redriveAll()
    expect(redriven).toEqual([])
    expect(refused).toMatchObject([{ id: 'a', error: { code: 'QUEUE_FULL' } }])
    expect(pool.deadLetters.get('a')).not.toBe(null)
  })
})

describe('a full queue', () => {
  test('lets run and map wait for room where the pool says so; submit is refused', async () => {
    const pool = start({ maxQueue: 2, queueFull: 'wait', workers: 1 })
    const results = Promise.all(Array.from({ length: 20 }, (_, n) => pool.run('echo', n)))
    expect(pool.status().tasks.pending).toBeLessThanOrEqual(2)
    expect(refusal(() => pool.submit('echo', 1)).code).toBe('QUEUE_FULL')
    expect(await results).toEqual(Array.from({ length: 20 }, (_, n) => n))
    await pool.accepting()
    pool.submit('echo', 1)
    const values: unknown[] = []
    for await (const outcome of pool.map('echo', [1, 2, 3, 4, 5], { ordered: true })) {
      values.push(told(outcome))
    }
    expect(values).toEqual([1, 2, 3, 4, 5])
  })

  test('lets nobody wait for ever: not in a pool that stops, nor past a signal', async () => {
    const pool = start({ maxQueue: 1, queueFull: 'wait' })
    pool.submit('wait', 60_000)
    await nextEvent(pool as never, 'task.started')
    pool.submit('wait', 60_000)
    const controller = new AbortController()
    const given = pool.run('echo', 1, { signal: controller.signal }).catch((error) => error)
    const left = pool.run('echo', 2).catch((error) => error)
    const asked = pool.accepting().catch((error) => error)
    controller.abort()
    expect(await given).toMatchObject({ code: 'TASK_CANCELLED', task: { payload: 1 } })
    await pool.shutdown({ force: true })
    expect(await left).toMatchObject({ code: 'DRAINING', task: { payload: 2 } })
    expect(await asked).toMatchObject({ code: 'DRAINING' })
  })

  test('is an alert before it is full, and none once it is not', async () => {
    const pool = start({ maxQueue: 10 })
    const raised = nextEvent(pool as never, 'alert.raised')
    const tasks = Array.from({ length: 10 }, () => pool.submit('echo', 1))
    expect(await raised).toMatchObject({ code: 'QUEUE_NEAR_FULL' })
    expect(pool.status().alerts).toMatchObject([{ message: '9 of at most 10 tasks wait' }])
    await Promise.all(tasks.map((handle) => handle.outcome()))
    expect(pool.status().alerts).toEqual([])
  })
})

describe('map over an endless source', () => {
  /** Until nothing is under way: a reader so slow that all others wait for it. */
  async function allEnded(pool: PoolActor<PlainTasks>): Promise<void> {
    while (pool.results().unended > 0) await nextEvent(pool as never, 'task.succeeded')
  }

  test('holds a bounded number of tasks, however slow its reader', async () => {
    const pool = start({ concurrentTasksPerWorker: 2 })
    let read = 0
    async function* endless() {
      for (;;) yield read++
    }
    let seen = 0
    let most = 0
    for await (const outcome of pool.map('echo', endless(), { concurrency: 8 })) {
      expect(outcome.status).toBe('succeeded')
      await allEnded(pool)
      most = Math.max(most, read - seen, pool.status().tasks.submitted - seen)
      if (++seen === 30) break
    }
    // One more may have been asked for that was not submitted any more.
    expect(most).toBeGreaterThan(4)
    expect(most).toBeLessThanOrEqual(9)
  })

  test('hands out what is there while the source has nothing yet', async () => {
    const pool = start()
    let answer: (value: unknown) => void = () => {}
    async function* conversation() {
      yield 'first'
      yield await new Promise((resolve) => {
        answer = resolve
      })
    }
    const values: unknown[] = []
    for await (const outcome of pool.map('echo', conversation(), { concurrency: 4 })) {
      values.push(told(outcome))
      answer('second')
    }
    expect(values).toEqual(['first', 'second'])
  })

  test('leaves alone what others have submitted, when its reader stops', async () => {
    const pool = start({ concurrentTasksPerWorker: 4 })
    const gate = file()
    const key = (payload: unknown) => String(payload)
    const others = pool.submit('waitFor', gate, { deduplication: { key: gate } })
    const outcomes = pool.map('waitFor', [gate, file()], { deduplication: { key } })
    const next = outcomes.next()
    while (pool.status().tasks.submitted < 2) await nextEvent(pool as never, 'task.started')
    writeFileSync(gate, 'open')
    await next
    await outcomes.return()
    expect(told(await others.outcome())).toBe('open')
    await pool.drain()
    expect(pool.status().tasks).toMatchObject({ succeeded: 1, cancelled: 1 })
  })
})

describe('a handle', () => {
  test('waits as long as it is told, and no longer', async () => {
    const pool = start()
    const gate = file()
    const handle = pool.submit('waitFor', gate)
    expect(await handle.wait(20)).toBe(null)
    expect(handle.status().state).not.toBe('cancelled')
    const outcome = handle.wait(60_000)
    writeFileSync(gate, 'open')
    expect(await outcome).toMatchObject({ status: 'succeeded', value: 'open' })
    expect(await handle.wait(0)).toMatchObject({ status: 'succeeded', value: 'open' })
    const failed = pool.submit('failForGood', 'no')
    expect(await failed.wait(60_000)).toMatchObject({ status: 'failed' })
  })
})

describe('what a pool says of itself', () => {
  test('counts each end once, even when a process says it twice', async () => {
    const pool = start()
    await pool.run('stutter', undefined)
    for (let count = 0; count < 5; count++) await pool.run('echo', count)
    expect(pool.status().workers[0]?.tasksExecuted).toBe(6)
    expect(pool.results()).toMatchObject({ succeeded: 6, unended: 0 })
  })

  test('shows times, results so far and what came last, while it runs', async () => {
    const pool = start({ concurrentTasksPerWorker: 2 })
    const gate = file()
    const held = pool.submit('waitFor', gate, { id: 'held' })
    for (let count = 0; count < 10; count++) await pool.run('echo', count)
    await pool.submit('failForGood', 'no', { id: 'bad' }).outcome()
    const results = pool.results(2)
    expect(results).toMatchObject({
      succeeded: 10,
      failed: 1,
      cancelled: 0,
      unended: 1,
      metrics: { successRate: 10 / 11, waitMs: { count: 12 }, runMs: { count: 11 } },
    })
    expect(results.recent).toMatchObject([
      { taskId: 'bad', status: 'failed', error: { code: 'TASK_FAILED' } },
      { name: 'echo', status: 'succeeded', value: 9, attempts: 1 },
    ])
    const { queue, times, activeWorkers } = pool.status()
    expect(queue).toMatchObject({ depth: 0, pending: 0 })
    expect(queue.averageWaitMs).toBe(times.waitMs.mean)
    expect(times.runMs.p50).toBeLessThanOrEqual(times.runMs.p99)
    expect(activeWorkers).toBe(1)
    writeFileSync(gate, 'open')
    await held.outcome()
    expect(pool.results().unended).toBe(0)
  })

  test('tells of workers and of their number as it changes', async () => {
    const pool = start()
    const started: string[] = []
    const scaled: string[] = []
    pool.on('worker.started', ({ slot, pid }) => started.push(`${slot} ${typeof pid}`))
    pool.on('pool.scaled', ({ workers, by }) => scaled.push(`${by} to ${workers}`))
    await pool.run('echo', 1)
    await pool.scale(2)
    await pool.scale(1)
    expect(started).toEqual(['worker-1 number', 'worker-2 number'])
    expect(scaled).toEqual(['up to 2', 'down to 1'])
  })

  test('raises an alert when no worker will ever start', async () => {
    const pool = start({ tasks: new URL('data:text/javascript,throw new Error("no tasks")') })
    const raised: string[] = []
    pool.on('alert.raised', ({ code, slot = '' }) => raised.push(`${code} ${slot}`.trim()))
    await nextEvent(pool as never, 'alert.raised', (alert) => codeOf(alert) === 'POOL_FAILED')
    expect(raised.toSorted()).toEqual(['POOL_FAILED', 'WORKER_FAILED worker-1'])
    expect(pool.status().alerts.map(codeOf)).toContain('POOL_FAILED')
    expect(refusal(() => pool.submit('echo', 1))).toMatchObject({
      code: 'POOL_CLOSED',
      task: { name: 'echo', payload: 1 },
    })
  })

  test('names a worker that went silent and is killed', async () => {
    const pool = start({ heartbeatInterval: 20, zombieAfter: 200 })
    const silent = nextEvent(pool as never, 'worker.silent')
    const handle = pool.submit('spin', file(), { attempts: 1 })
    expect(await silent).toMatchObject({ slot: 'worker-1', incarnation: 1 })
    expect(told(await handle.outcome())).toBe('failed WORKER_LOST')
  })
})
