/**
 * Tasks that have to do with each other, by example, on the virtual clock: dependencies, keys, kept
 * results, dead letters, `retryOn`.
 */
import { describe, expect, it } from 'vitest'
import { TaskRecord } from '../../src/ledger/record.ts'
import { circle, relate } from '../../src/pool/batch.ts'
import { DEFAULT_TASK_OPTIONS } from '../../src/task/options.ts'
import { LedgerStage } from './ledger-stage.ts'
import { ended, staged } from './one-process.ts'

const BACKOFF = { type: 'fixed', delay: 100, maxDelay: 1_000, jitter: 0 } as const
const statesOf = (records: readonly TaskRecord[]) => records.map(({ state }) => state)

describe('dependsOn', () => {
  it('lets a task start once the last of those has succeeded', () => {
    const { stage, process } = staged({ seatsPerWorker: 4 })
    const parents = [stage.submit(), stage.submit()]
    const child = stage.submit({ dependsOn: ['t1', 't2'], delay: 50 })
    stage.clock.settle()
    stage.report(process, [ended(parents[0] as TaskRecord, 'ok')])
    expect(child.state).toBe('blocked')
    stage.report(process, [ended(parents[1] as TaskRecord, 'ok')])
    expect(child.state).toBe('delayed')
    stage.clock.advance(50)
    expect(child.state).toBe('assigned')
  })

  it('a chain of 20,000 falls without a stack, each once', () => {
    const stage = new LedgerStage()
    const batch = Array.from({ length: 20_000 }, (_, index) => ({
      id: `c${index}`,
      dependsOn: index === 0 ? [] : [`c${index - 1}`],
    }))
    const ends: string[] = []
    stage.onNews = () => void ends.push(stage.deeds.splice(0).at(-1) as string)
    const records = stage.submitAll(batch)
    stage.cancel(records[0] as TaskRecord)
    expect(ends).toHaveLength(20_000)
    expect(ends.at(-1)).toBe('ended c19999 failed DEPENDENCY_FAILED')
    expect(stage.ledger.counts).toMatchObject({ pending: 0, cancelled: 1, failed: 19_999 })
    expect(records.at(-1)?.error?.cause).toEqual(records[0]?.error)
  })

  it('a parent forgets a child that ended before it', () => {
    const stage = new LedgerStage()
    const parent = stage.submit()
    for (let count = 0; count < 3; count++) stage.cancel(stage.submit({ dependsOn: ['t1'] }))
    expect(parent.family?.children.size).toBe(0)
  })

  it('results too large for one message end the task before it starts, by name', () => {
    const { stage, process } = staged({ seatsPerWorker: 2 })
    const parents = [stage.submit(), stage.submit()]
    const child = stage.submit({ dependsOn: ['t1', 't2'] })
    stage.clock.settle()
    const bytes = 40 * 1024 * 1024
    for (const { id } of parents) {
      const value = new Uint8Array(bytes)
      stage.report(process, [{ kind: 'ended', taskId: id, attempt: 1, verdict: 'ok', value }])
    }
    expect([child.state, child.error?.code]).toEqual(['failed', 'PAYLOAD_INVALID'])
  })

  it('goes to the handler with every attempt', () => {
    const { stage, process } = staged()
    const orders: unknown[] = []
    stage.onOrder = (order) => orders.push(order.dependencies)
    const parent = stage.submit()
    const child = stage.submit({ dependsOn: ['t1'], backoff: BACKOFF })
    stage.clock.settle()
    stage.report(process, [ended(parent, 'ok')])
    stage.clock.settle()
    stage.report(process, [ended(child, 'retryable')])
    stage.clock.advance(100)
    const told = { t1: { status: 'succeeded', value: 1 } }
    expect(orders).toEqual([undefined, told, told])
  })
})

describe('circle', () => {
  const recordsOf = (graph: Readonly<Record<string, readonly string[]>>) => {
    const records = new Map(
      Object.entries(graph).map(([id, dependsOn]) => [
        id,
        new TaskRecord(id, 'noop', null, { ...DEFAULT_TASK_OPTIONS, dependsOn }, 0),
      ]),
    )
    for (const record of records.values()) relate(record, (id) => records.get(id))
    return [...records.values()]
  }

  it.each<[string, Record<string, string[]>, string | null]>([
    ['a chain', { a: [], b: ['a'], c: ['b'] }, null],
    ['a fan', { a: [], b: ['a'], c: ['a'], d: ['b', 'c'] }, null],
    ['two that wait for each other', { a: ['b'], b: ['a'] }, 'a b a'],
    ['one with a tail', { z: ['a'], a: ['b'], b: ['c'], c: ['a'], d: ['c'] }, 'a b c a'],
  ])('looks at %s', (_, graph, path) => {
    const found = circle(recordsOf(graph))
    expect(found?.map(({ id }) => id).join(' ') ?? null).toBe(path)
  })

  it('looks at 200,000 links in no time', () => {
    const graph = Array.from({ length: 20_000 }, (_, index) => [
      `c${index}`,
      Array.from({ length: Math.min(index, 10) }, (_2, back) => `c${index - back - 1}`),
    ])
    const records = recordsOf(Object.fromEntries(graph))
    const startedAtMs = performance.now()
    expect(circle(records)).toBe(null)
    expect(performance.now() - startedAtMs).toBeLessThan(5_000)
  })
})

describe('deduplication', () => {
  it('ends with the ttl of a success, to the millisecond', () => {
    const { stage, process } = staged()
    const options = { deduplication: { key: 'k', ttl: 500 } }
    const first = stage.submit(options)
    stage.clock.settle()
    stage.report(process, [ended(first, 'ok')])
    stage.clock.advance(499)
    expect(stage.submit(options)).toBe(first)
    stage.clock.advance(1)
    expect(stage.submit(options)).not.toBe(first)
  })

  it('does not join a task that is being cancelled, but one that is tried again', () => {
    const { stage } = staged({ seatsPerWorker: 2 })
    const options = { deduplication: { key: 'k', ttl: 0 }, timeout: 50 }
    const first = stage.submit(options)
    stage.clock.advance(50)
    expect(first.state).toBe('cancelling')
    expect(stage.submit(options)).toBe(first)
    stage.cancel(first)
    expect(stage.submit(options)).not.toBe(first)
  })
})

describe('a kept result', () => {
  it('answers what waits in the queue when its turn comes, without a seat', () => {
    const { stage, process } = staged()
    const options = { cache: { key: 'k', ttl: null } }
    const first = stage.submit(options)
    const others = [stage.submit(options), stage.submit(options), stage.submit()]
    stage.clock.settle()
    stage.report(process, [ended(first, 'ok')])
    stage.clock.settle()
    expect(statesOf(others)).toEqual(['succeeded', 'succeeded', 'assigned'])
    expect(others.map(({ attempt, cached }) => [attempt, cached])).toEqual([
      [0, true],
      [0, true],
      [1, false],
    ])
    const { hits, misses } = stage.ledger.aftermath
    expect([hits, misses]).toEqual([2, 1])
  })

  it('is as old as the task says, or as the pool says', () => {
    const { stage, process } = staged({ cacheTtlMs: 300 })
    const run = (ttl: number | null) => {
      const record = stage.submit({ cache: { key: `${ttl}`, ttl } })
      stage.clock.settle()
      if (record.state === 'assigned') stage.report(process, [ended(record, 'ok')])
      return record.cached
    }
    for (const ttl of [null, 0, 100]) run(ttl)
    stage.clock.advance(100)
    expect([run(null), run(0), run(100)]).toEqual([true, true, false])
    stage.clock.advance(200)
    expect([run(null), run(0)]).toEqual([false, true])
  })
})

describe('retryOn', () => {
  it.each<[string, object, string]>([
    ['its code', { code: 'TASK_FAILED', ownCode: 'E1' }, 'backingOff'],
    ['its class', { code: 'TASK_FAILED', name: 'E1' }, 'backingOff'],
    ['its cause', { code: 'TASK_FAILED', cause: { code: 'X', ownCode: 'E1' } }, 'backingOff'],
    ['nothing of it', { code: 'TASK_FAILED', name: 'Error', ownCode: 'E2' }, 'failed'],
    ['what only its text says', { code: 'TASK_FAILED', text: 'E1' }, 'failed'],
    ['no loss of a browser', { code: 'BROWSER_LOST' }, 'backingOff'],
  ])('that names %s', (_, error, state) => {
    const { stage, process } = staged()
    const record = stage.submit({ retryOn: ['E1'], backoff: BACKOFF })
    stage.clock.settle()
    const facts = { message: 'no', ...error } as never
    stage.report(process, [
      { kind: 'ended', taskId: record.id, attempt: 1, verdict: 'retryable', error: facts },
    ])
    expect(record.state).toBe(state)
  })
})

describe('a dead letter', () => {
  it('sent again that fails at once is there again', () => {
    const stage = new LedgerStage()
    stage.cancel(stage.submit())
    const child = stage.submit({ dependsOn: ['t1'] })
    expect(child.error?.code).toBe('DEPENDENCY_FAILED')
    expect(stage.desk.redrive(child.id).status().state).toBe('failed')
    expect(stage.desk.list().letters.map(({ id }) => id)).toEqual(['t2'])
  })

  it('runs again once what it depends on was sent again before it', () => {
    const { stage, process } = staged()
    const parent = stage.submit({ attempts: 1 })
    stage.submit({ dependsOn: ['t1'] })
    stage.clock.settle()
    stage.report(process, [ended(parent, 'retryable')])
    expect(stage.desk.redriveAll().redriven.map((handle) => handle.status().state)).toEqual([
      'queued',
      'blocked',
    ])
    stage.clock.settle()
    stage.report(process, [ended(stage.records[2] as TaskRecord, 'ok')])
    expect(stage.records.at(-1)?.state).toBe('queued')
    expect(stage.desk.list().letters).toEqual([])
  })
})
