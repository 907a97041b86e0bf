/**
 * What a pool and its tasks say of themselves while they run: handles, counts, times, alerts and
 * events. With real processes, as a user sees it.
 */
import { writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { codeOf, plainPools, refusal, reported } from '../support/plain-pools.ts'
import { nextEvent } from '../support/pool-under-test.ts'

const { start, file } = plainPools()

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
    expect(reported(await handle.outcome())).toBe('failed WORKER_LOST')
  })
})
