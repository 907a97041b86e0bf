/**
 * G1, G2, G7. What a task may carry, how it ends and is stopped: with real processes, as a user
 * sees it.
 */
import { statSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { PoolActor, TaskOutcome } from '../../src/index.ts'
import {
  nextEvent,
  type PlainTasks,
  type PoolUnderTest,
  plainPool,
} from '../support/pool-under-test.ts'

let folder = ''
let troupe: PoolUnderTest<PlainTasks>
let pool: PoolActor<PlainTasks>

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'troupe-tasks-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))
beforeEach(() => {
  troupe = plainPool({ maxQueue: 50 })
  pool = troupe.pool.start()
})
afterEach(() => troupe[Symbol.asyncDispose]())

const started = () => nextEvent(pool as never, 'task.started')
const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => null,
    (error: unknown) => error,
  )

/** How much a file grows between two moments that a lively writer would not let pass. */
async function growth(file: string): Promise<number> {
  const before = statSync(file).size
  await delay(60)
  return statSync(file).size - before
}

describe('a payload', () => {
  const shared = { deep: true }
  test.each<[string, unknown]>([
    ['null', null],
    ['undefined', undefined],
    ['a number', 1.5],
    ['text', 'żółw 🐢'],
    ['nested', { a: [{ b: { c: [1, 2, { d: null }] } }] }],
    ['a map', new Map([['k', new Map([[1, 'v']])]])],
    ['a set', new Set([1, 'two'])],
    ['a date', new Date(0)],
    ['a bigint', 2n ** 70n],
    ['shared parts', { one: shared, two: shared }],
  ])('of %s arrives and returns as sent', async (_, payload) => {
    expect(await pool.run('echo', payload)).toEqual(payload)
  })

  test('of bytes arrives as bytes', async () => {
    expect(await pool.run('size', Buffer.from('abc'))).toBe(3)
    expect(await pool.run('describe', Buffer.from('abc'))).toBe('[object Uint8Array]')
  })

  test('of 10 MB arrives as sent', async () => {
    const payload = Buffer.alloc(10 * 1024 * 1024, 'x')
    expect(await pool.run('size', payload)).toBe(payload.byteLength)
  })

  test.each<[string, unknown, string]>([
    ['a function', { orders: [{ callback: () => 1 }] }, 'payload.orders[0].callback'],
    ['a promise', { later: Promise.resolve(1) }, 'payload.later'],
    ['a symbol', [Symbol('s')], 'payload[0]'],
    [
      'an instance of a class',
      {
        client: new (class Client {
          name = 'c'
        })(),
      },
      'payload.client',
    ],
  ])('with %s is refused by name, and the task is handed back', async (_, payload, where) => {
    await expect(pool.run('echo', payload)).rejects.toMatchObject({
      code: 'PAYLOAD_INVALID',
      message: expect.stringContaining(where),
    })
    expect(pool.status().tasks.submitted).toBe(0)
  })

  test('that grew too large is refused by name', async () => {
    const payload = { rows: Array.from({ length: 9 }, () => Buffer.alloc(8 * 1024 * 1024)) }
    await expect(pool.run('echo', payload)).rejects.toMatchObject({ code: 'PAYLOAD_INVALID' })
  })
})

describe('a result', () => {
  test('that cannot be sent fails the task, and names what it was', async () => {
    const error = await failure(pool.run('unsendable', null))
    expect(error).toMatchObject({ message: expect.stringContaining('rows[0].open') })
    expect(pool.status().tasks.retried).toBe(0)
  })

  test('may be a file, with its checksum', async () => {
    const kept = await pool.run('artifact', 'hello')
    expect(await readFile(kept.path, 'utf8')).toBe('hello')
    expect(kept).toMatchObject({ name: 'note.txt', bytes: 5 })
    expect(kept.sha256).toMatch(/^2cf24dba5fb0a30e/)
  })
})

describe('a task', () => {
  test('of an unknown name is refused, and the known ones are named', async () => {
    await pool.run('echo', 1)
    await expect(pool.run('ehco' as 'echo', 1)).rejects.toMatchObject({
      code: 'TASK_UNKNOWN',
      message: expect.stringContaining('echo'),
      task: { name: 'ehco', payload: 1 },
    })
  })

  test('that fails is started as often as it may, and no more', async () => {
    const outcome = await pool.submit('fail', 'on purpose', { attempts: 3 }).outcome()
    expect(outcome).toMatchObject({
      status: 'failed',
      attempts: 3,
      error: { code: 'TASK_FAILED', message: 'on purpose' },
    })
    expect(pool.status().tasks).toMatchObject({ failed: 1, retried: 2 })
  })

  test('that fails for good is started once', async () => {
    const outcome = await pool.submit('failForGood', 'no order', { attempts: 5 }).outcome()
    expect(outcome).toMatchObject({ status: 'failed', attempts: 1 })
  })

  test('is told which start it is', async () => {
    const file = join(folder, 'until')
    const value = await pool.run('failUntil', { file, times: 3 }, { attempts: 3 })
    expect(value).toEqual({ count: 3, attempt: 3 })
  })

  test('waits before its second start, not less than its backoff', async () => {
    const handle = pool.submit('fail', 'x', {
      attempts: 2,
      backoff: { type: 'fixed', delay: 250, jitter: 0 },
    })
    const at: number[] = []
    pool.on('task.retried', () => at.push(performance.now()))
    await handle.outcome()
    expect(performance.now() - (at[0] ?? 0)).toBeGreaterThanOrEqual(245)
  })

  test('with a lower number goes first', async () => {
    pool.submit('wait', 60)
    await started()
    const order: string[] = []
    const ends = (['low', 'normal', 'high', 'urgent'] as const).map((priority) =>
      pool
        .submit('echo', priority, { priority })
        .outcome()
        .then(() => order.push(priority)),
    )
    await Promise.all(ends)
    expect(order).toEqual(['urgent', 'high', 'normal', 'low'])
  })

  test('tells its progress while it runs', async () => {
    const handle = pool.submit('steps', 3)
    const seen: unknown[] = []
    handle.onProgress((progress) => seen.push(progress))
    expect(await handle.result()).toBe('done')
    expect(seen).toEqual([1, 2, 3])
    expect(handle.status()).toMatchObject({ state: 'succeeded', progress: 3 })
  })

  test('beyond maxQueue is refused and handed back', async () => {
    await pool.run('echo', 0)
    pool.pause()
    for (let index = 0; index < 50; index++) pool.submit('echo', index)
    expect(() => pool.submit('echo', 50)).toThrowError(
      expect.objectContaining({
        code: 'QUEUE_FULL',
        task: expect.objectContaining({ payload: 50 }),
      }),
    )
    pool.resume()
  })

  test('may not bear the id of one that has not ended', async () => {
    const first = pool.submit('wait', 30, { id: 'order-1' })
    expect(() => pool.submit('echo', 1, { id: 'order-1' })).toThrowError(
      expect.objectContaining({ code: 'CONFIG_INVALID' }),
    )
    await first.outcome()
    expect(await pool.run('echo', 2, { id: 'order-1' })).toBe(2)
  })

  test('shows its metadata in its status and its outcome', async () => {
    const metadata = { customer: 'ACME' }
    const handle = pool.submit('echo', 1, { metadata })
    expect(handle.status().metadata).toEqual(metadata)
    expect((await handle.outcome()).metadata).toEqual(metadata)
  })

  test('submitted twice under one id by a listener is refused the second time', async () => {
    const { promise: reported, resolve } = Promise.withResolvers<unknown>()
    pool.on('task.succeeded', ({ name }) => {
      if (name !== 'echo') return
      const first = pool.submit('whoami', null, { id: 'same' })
      try {
        pool.submit('whoami', null, { id: 'same' })
      } catch (error) {
        resolve(first.outcome().then(({ status }) => [status, (error as { code: string }).code]))
      }
    })
    await pool.run('echo', 1)
    expect(await reported).toEqual(['succeeded', 'CONFIG_INVALID'])
  })

  test('that a hundred others share a worker with needs no new process', async () => {
    const pids = new Set<number>()
    for (let index = 0; index < 50; index++) pids.add((await pool.run('whoami', null)).pid)
    expect(pids.size).toBe(1)
    expect(pool.status()).toMatchObject({ processesStarted: 1, reuseRate: 0.98 })
  })
})

describe('stopping a task', () => {
  test('queued, ends it at once', async () => {
    pool.submit('wait', 40)
    await started()
    const handle = pool.submit('echo', 1)
    expect(handle.cancel()).toBe(true)
    expect(await handle.outcome()).toMatchObject({
      status: 'cancelled',
      attempts: 0,
      error: { code: 'TASK_CANCELLED' },
    })
    expect(handle.cancel()).toBe(false)
  })

  test('that heeds its signal, leaves its worker alive', async () => {
    const handle = pool.submit('wait', 60_000)
    await started()
    handle.cancel()
    expect((await handle.outcome()).status).toBe('cancelled')
    await pool.run('echo', 1)
    expect(pool.status().processesStarted).toBe(1)
  })

  test('by its AbortSignal does the same', async () => {
    const controller = new AbortController()
    const result = failure(pool.run('wait', 60_000, { signal: controller.signal }))
    await started()
    controller.abort()
    expect(await result).toMatchObject({ code: 'TASK_CANCELLED' })
  })

  test.each(['append', 'spin'] as const)(
    'past its timeout, its code has provably stopped (%s)',
    async (name) => {
      const file = join(folder, name)
      const options = { timeout: 150, attempts: 1 }
      expect(await failure(pool.run(name, file, options))).toMatchObject({
        code: 'TASK_TIMED_OUT',
      })
      expect(await growth(file)).toBe(0)
      expect(await pool.run('echo', 'the worker is back')).toBe('the worker is back')
    },
  )

  test('past its deadline, ends it wherever it is', async () => {
    const running = pool.submit('wait', 60_000, { deadline: 100 })
    const queued = pool.submit('echo', 1, { deadline: 50 })
    const late = pool.submit('echo', 1, { queueTimeout: 50 })
    expect(await running.outcome()).toMatchObject({
      status: 'failed',
      error: { code: 'TASK_EXPIRED' },
    })
    expect(await queued.outcome()).toMatchObject({ error: { code: 'TASK_EXPIRED' }, attempts: 0 })
    expect(await late.outcome()).toMatchObject({ error: { code: 'TASK_EXPIRED' }, attempts: 0 })
  })

  test('that ended before it heard of it, leaves its success', async () => {
    const handle = pool.submit('echo', 'quick')
    handle.cancel()
    const outcome = await handle.outcome()
    expect(['succeeded', 'cancelled']).toContain(outcome.status)
  })
})

describe('map', () => {
  const collect = async (outcomes: AsyncIterable<TaskOutcome>) => {
    const values: unknown[] = []
    for await (const outcome of outcomes) {
      values.push(outcome.status === 'succeeded' ? outcome.value : outcome.error.code)
    }
    return values
  }

  test('yields an outcome for each payload, in order on request', async () => {
    const payloads = [30, 1, 20, 2, 10]
    expect(await collect(pool.map('wait', payloads, { ordered: true }))).toEqual(payloads)
    expect((await collect(pool.map('wait', payloads))).toSorted()).toEqual(payloads.toSorted())
    expect(await collect(pool.map('wait', []))).toEqual([])
  })

  test('reads its input no faster than outcomes leave', async () => {
    let read = 0
    function* numbers() {
      for (; read < 1_000; read++) yield read
    }
    for await (const outcome of pool.map('echo', numbers(), { concurrency: 4 })) {
      expect(outcome.status).toBe('succeeded')
      if (read > 20) break
    }
    expect(read).toBeLessThan(40)
  })

  test('cancels what is left when its reader stops', async () => {
    const outcomes = pool.map('wait', [1, 60_000, 60_000, 60_000], { concurrency: 4 })
    await outcomes.next()
    await outcomes.return()
    await pool.drain()
    expect(pool.status().tasks).toMatchObject({ pending: 0, active: 0, cancelled: 3 })
  })
})
