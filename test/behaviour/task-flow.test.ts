/**
 * Tasks that have to do with each other: who waits for whom, who stands for whom, what is kept of
 * those that ended. With real processes, as a user sees it.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { isTroupeError, type TaskOutcome } from '../../src/index.ts'
import { plainPools, refusal, reported } from '../support/plain-pools.ts'
import { nextEvent } from '../support/pool-under-test.ts'

const { start, file } = plainPools()

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
    expect(reported(await all.outcome())).toEqual({
      payload: 'all',
      dependencies: { a: list('a'), b: list('b') },
    })
    const late = pool.submit('gather', 'late', { dependsOn: ['login'] })
    expect(reported(await late.outcome())).toEqual(list('late'))
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
    expect(reported(root as TaskOutcome)).toBe('failed TASK_FAILED')
    expect(child).toMatchObject({
      status: 'failed',
      attempts: 0,
      error: { code: 'DEPENDENCY_FAILED', message: 'it depends on the task root, which failed' },
    })
    expect(reported(grandchild as TaskOutcome)).toBe('failed DEPENDENCY_FAILED')
    expect(reported(stubborn as TaskOutcome)).toEqual({
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
    expect(reported(await again.outcome())).toEqual({ count: 2, attempt: 1 })
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
