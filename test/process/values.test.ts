/** A payload is what it was when it was handed in, whatever becomes of the object, here and after. */
import { Buffer } from 'node:buffer'
import { describe, expect, it, test } from 'vitest'
import type { PoolOptions } from '../../src/index.ts'
import { plainPools, refusal, reported } from '../support/plain-pools.ts'

const pools = plainPools()
const WAYS: readonly [string, () => Partial<PoolOptions>][] = [
  ['in memory', () => ({})],
  ['with a store', () => ({ store: { path: pools.file() } })],
  ['without processes', () => ({ parallel: false })],
]

const EXOTIC = [
  'url',
  'headers',
  'response',
  'stream',
  'class',
  'error',
  'promise',
  'symbolKey',
  'module',
] as const

describe.each(WAYS)('a payload %s', (_way, options) => {
  it('runs as it was at each submit, though it is one object', async () => {
    const pool = pools.start(options())
    const job = { turn: 0, rows: [{ turn: 0 }] }
    const handles = [0, 1, 2, 3, 4].map((turn) => {
      job.turn = turn
      ;(job.rows[0] as { turn: number }).turn = turn
      return pool.submit('echo', job)
    })
    const turns = [0, 1, 2, 3, 4].map((turn) => ({ turn, rows: [{ turn }] }))
    expect(await Promise.all(handles.map((handle) => handle.result()))).toEqual(turns)
  })

  it('runs as it was when map read it', async () => {
    const pool = pools.start(options())
    const job = { turn: 0 }
    const jobs = function* () {
      for (; job.turn < 5; job.turn++) yield job
    }
    const values: unknown[] = []
    for await (const outcome of pool.map('echo', jobs(), { ordered: true }))
      values.push(reported(outcome))
    expect(values).toEqual([0, 1, 2, 3, 4].map((turn) => ({ turn })))
  })

  it('may hold the promise of its own task by the time it starts', async () => {
    const pool = pools.start(options())
    const jobs = Array.from({ length: 10 }, (__, po) => ({ po }) as { po: number; done?: unknown })
    for (const job of jobs) job.done = pool.run('echo', job)
    expect(await Promise.all(jobs.map(({ done }) => done))).toEqual(jobs.map(({ po }) => ({ po })))
  })

  it('is one state of its object for all that are handed in together', async () => {
    const pool = pools.start(options())
    const job = {
      reads: 0,
      get turn() {
        return this.reads++
      },
    }
    const handles = pool.submitAll([1, 2, 3].map(() => ({ name: 'echo', payload: job })))
    job.reads = 99
    expect(await Promise.all(handles.map((handle) => handle.result()))).toMatchObject([
      { turn: 0 },
      { turn: 1 },
      { turn: 2 },
    ])
  })

  it('is the same at its retry, whatever listeners do with what they are given', async () => {
    const pool = pools.start(options())
    const metadata = { tags: ['a'] }
    const spoil = (of: object) => Object.assign(of, { file: 'nowhere', spoiled: Promise.resolve() })
    pool.on('task.retried', (event) => spoil(event))
    pool.on('task.progress', (event) => spoil(event))
    pool.on('task.failed', ({ payload, metadata: shown }) => {
      spoil(payload as object)
      ;((shown as typeof metadata).tags as unknown[]).push(() => 1)
    })
    const payload = { file: pools.file(), times: 2 }
    const backoff = { delay: 1 }
    const handle = pool.submit('failUntil', payload, { attempts: 1, metadata, id: 'one', backoff })
    spoil(payload)
    metadata.tags.push('b')
    spoil(handle.status().metadata as object)
    const outcome = await handle.outcome()
    spoil(outcome.payload as object)
    const letter = pool.deadLetters.get('one')
    spoil(letter?.payload as object)
    spoil(letter?.metadata as object)
    expect(pool.deadLetters.get('one')?.metadata).toEqual({ tags: ['a'] })
    const again = pool.deadLetters.redrive('one')
    expect(await again.result()).toMatchObject({ count: 2 })
    expect(again.status().metadata).toEqual({ tags: ['a'] })
  })

  it("is a dependent's as its parent ended, whatever was done with the parent's outcome", async () => {
    const pool = pools.start(options())
    const parent = pool.submit('echo', { rows: [1] }, { id: 'parent' })
    for (const outcome of [await parent.outcome(), await parent.outcome()]) {
      if (outcome.status === 'succeeded') Object.assign(outcome.value as object, { rows: () => 2 })
    }
    Object.assign((pool.results().recent[0] as { value: object }).value, { rows: () => 3 })
    const child = pool.submit('gather', null, { dependsOn: ['parent'] })
    expect(await child.result()).toEqual({
      payload: null,
      dependencies: { parent: { rows: [1] } },
    })
  })
})

describe('a refused task', () => {
  it("hands back the submitter's own object", async () => {
    const pool = pools.start()
    const bad = { rows: [() => 1] }
    expect(refusal(() => pool.submit('echo', bad)).task?.payload).toBe(bad)
    const good = { rows: [1] }
    expect(refusal(() => pool.submit('echo', good, { dependsOn: ['x'] })).task?.payload).toBe(good)
    const requests = [good, bad].map((payload) => ({ name: 'echo' as const, payload }))
    expect(refusal(() => pool.submitAll(requests)).task?.payload).toBe(bad)
  })
})

describe.each(WAYS.filter(([way]) => !way.includes('store')))('a result %s', (_, options) => {
  it('is what it was when the handler returned it, though it is one object', async () => {
    const pool = pools.start({ ...options(), workers: 1, concurrentTasksPerWorker: 5 })
    const results = await Promise.all([1, 2, 3, 4, 5].map(() => pool.run('tally', null)))
    expect(results.map(({ count }) => count).sort()).toEqual([1, 2, 3, 4, 5])
  })

  it('that is no plain data fails its task for good, and names the place', async () => {
    const pool = pools.start(options())
    for (const kind of EXOTIC) {
      const outcome = await pool.submit('exotic', kind).outcome()
      expect(outcome, kind).toMatchObject({ status: 'failed', attempts: 1 })
      if (outcome.status !== 'failed') continue
      const { code, retryable, message } = outcome.error
      expect([code, retryable], kind).toEqual(['PAYLOAD_INVALID', false])
      expect(message).toMatch(/^result\.rows\[0\] (is|has) /)
    }
  })
})

test('values of every kind make the way there and back', async () => {
  const pool = pools.start()
  const kinds = {
    map: new Map<unknown, unknown>([[{ a: 1 }, new Set([1n, 'é'])]]),
    date: new Date(5),
    pattern: /a+/gi,
    bytes: Buffer.from('abc'),
    floats: new Float64Array([1.5, -0]),
    error: new TypeError('x', { cause: { code: 7 } }),
    match: /a(?<b>.)/.exec('ab'),
    odd: [Number.NaN, -0, 2n ** 80n, undefined, null],
  }
  expect(await pool.run('echo', kinds)).toEqual(kinds)
})
