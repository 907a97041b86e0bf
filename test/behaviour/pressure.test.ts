/**
 * More than a pool can take, or what it can't take at all: who is refused, who waits for room, and
 * how little an endless source holds. With real processes, as a user sees it.
 */
import { writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { PoolActor } from '../../src/index.ts'
import { plainPools, refusal, reported } from '../support/plain-pools.ts'
import { nextEvent, type PlainTasks } from '../support/pool-under-test.ts'

const { start, file } = plainPools()

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
      values.push(reported(outcome))
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
      values.push(reported(outcome))
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
    expect(reported(await others.outcome())).toBe('open')
    await pool.drain()
    expect(pool.status().tasks).toMatchObject({ succeeded: 1, cancelled: 1 })
  })
})
