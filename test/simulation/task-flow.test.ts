/**
 * Tasks that have to do with each other, by example, on the virtual clock: dependencies, keys, kept
 * results, dead letters, `retryOn`.
 */
import { describe, expect, it } from 'vitest'
import { TaskRecord } from '../../src/ledger/task/record.ts'
import { circle, relate } from '../../src/pool/admission/batch.ts'
import { DEFAULT_TASK_OPTIONS } from '../../src/config/task-options.ts'
import { LedgerScenario } from './ledger-scenario.ts'
import { ended, staged } from './one-process.ts'

const BACKOFF = { type: 'fixed', delay: 100, maxDelay: 1_000, jitter: 0 } as const
const statesOf = (records: readonly TaskRecord[]) => records.map(({ state }) => state)

describe('dependsOn', () => {
  it('lets a task start once the last of those has succeeded', () => {
    const { scenario, process } = staged({ tasksPerWorker: 4 })
    const parents = [scenario.submit(), scenario.submit()]
    const child = scenario.submit({ dependsOn: ['t1', 't2'], delay: 50 })
    scenario.clock.settle()
    scenario.report(process, [ended(parents[0] as TaskRecord, 'ok')])
    expect(child.state).toBe('blocked')
    scenario.report(process, [ended(parents[1] as TaskRecord, 'ok')])
    expect(child.state).toBe('delayed')
    scenario.clock.advance(50)
    expect(child.state).toBe('assigned')
  })

  it('a chain of 20,000 falls without a stack, each once', () => {
    const scenario = new LedgerScenario()
    const batch = Array.from({ length: 20_000 }, (_, index) => ({
      id: `c${index}`,
      dependsOn: index === 0 ? [] : [`c${index - 1}`],
    }))
    const ends: string[] = []
    scenario.onEvent = () => void ends.push(scenario.actions.splice(0).at(-1) as string)
    const records = scenario.submitAll(batch)
    scenario.cancel(records[0] as TaskRecord)
    expect(ends).toHaveLength(20_000)
    expect(ends.at(-1)).toBe('ended c19999 failed DEPENDENCY_FAILED')
    expect(scenario.ledger.counts).toMatchObject({ pending: 0, cancelled: 1, failed: 19_999 })
    expect(records.at(-1)?.error?.cause).toEqual(records[0]?.error)
  })

  it('a parent forgets a child that ended before it', () => {
    const scenario = new LedgerScenario()
    const parent = scenario.submit()
    for (let count = 0; count < 3; count++) scenario.cancel(scenario.submit({ dependsOn: ['t1'] }))
    expect(parent.family?.children.size).toBe(0)
  })

  it('results too large for one message end the task before it starts, by name', () => {
    const { scenario, process } = staged({ tasksPerWorker: 2 })
    const parents = [scenario.submit(), scenario.submit()]
    const child = scenario.submit({ dependsOn: ['t1', 't2'] })
    scenario.clock.settle()
    const bytes = 40 * 1024 * 1024
    for (const { id } of parents) {
      const value = new Uint8Array(bytes)
      scenario.report(process, [{ kind: 'ended', taskId: id, attempt: 1, verdict: 'ok', value }])
    }
    expect([child.state, child.error?.code]).toEqual(['failed', 'PAYLOAD_INVALID'])
  })

  it('goes to the handler with every attempt', () => {
    const { scenario, process } = staged()
    const orders: unknown[] = []
    scenario.onOrder = (order) => orders.push(order.dependencies)
    const parent = scenario.submit()
    const child = scenario.submit({ dependsOn: ['t1'], backoff: BACKOFF })
    scenario.clock.settle()
    scenario.report(process, [ended(parent, 'ok')])
    scenario.clock.settle()
    scenario.report(process, [ended(child, 'retryable')])
    scenario.clock.advance(100)
    const reported = { t1: { status: 'succeeded', value: 1 } }
    expect(orders).toEqual([undefined, reported, reported])
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
    const { scenario, process } = staged()
    const options = { deduplication: { key: 'k', ttl: 500 } }
    const first = scenario.submit(options)
    scenario.clock.settle()
    scenario.report(process, [ended(first, 'ok')])
    scenario.clock.advance(499)
    expect(scenario.submit(options)).toBe(first)
    scenario.clock.advance(1)
    expect(scenario.submit(options)).not.toBe(first)
  })

  it('does not join a task that is being cancelled, but one that is tried again', () => {
    const { scenario } = staged({ tasksPerWorker: 2 })
    const options = { deduplication: { key: 'k', ttl: 0 }, timeout: 50 }
    const first = scenario.submit(options)
    scenario.clock.advance(50)
    expect(first.state).toBe('cancelling')
    expect(scenario.submit(options)).toBe(first)
    scenario.cancel(first)
    expect(scenario.submit(options)).not.toBe(first)
  })
})

describe('a kept result', () => {
  it('answers what waits in the queue when its turn comes, without a place', () => {
    const { scenario, process } = staged()
    const options = { cache: { key: 'k', ttl: null } }
    const first = scenario.submit(options)
    const others = [scenario.submit(options), scenario.submit(options), scenario.submit()]
    scenario.clock.settle()
    scenario.report(process, [ended(first, 'ok')])
    scenario.clock.settle()
    expect(statesOf(others)).toEqual(['succeeded', 'succeeded', 'assigned'])
    expect(others.map(({ attempt, cached }) => [attempt, cached])).toEqual([
      [0, true],
      [0, true],
      [1, false],
    ])
    const { hits, misses } = scenario.ledger.completed
    expect([hits, misses]).toEqual([2, 1])
  })

  it('is as old as the task says, or as the pool says', () => {
    const { scenario, process } = staged({ cacheTtlMs: 300 })
    const run = (ttl: number | null) => {
      const record = scenario.submit({ cache: { key: `${ttl}`, ttl } })
      scenario.clock.settle()
      if (record.state === 'assigned') scenario.report(process, [ended(record, 'ok')])
      return record.cached
    }
    for (const ttl of [null, 0, 100]) run(ttl)
    scenario.clock.advance(100)
    expect([run(null), run(0), run(100)]).toEqual([true, true, false])
    scenario.clock.advance(200)
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
    const { scenario, process } = staged()
    const record = scenario.submit({ retryOn: ['E1'], backoff: BACKOFF })
    scenario.clock.settle()
    const facts = { message: 'no', ...error } as never
    scenario.report(process, [
      { kind: 'ended', taskId: record.id, attempt: 1, verdict: 'retryable', error: facts },
    ])
    expect(record.state).toBe(state)
  })
})

describe('a dead letter', () => {
  it('sent again that fails at once is there again', () => {
    const scenario = new LedgerScenario()
    scenario.cancel(scenario.submit())
    const child = scenario.submit({ dependsOn: ['t1'] })
    expect(child.error?.code).toBe('DEPENDENCY_FAILED')
    expect(scenario.api.redrive(child.id).status().state).toBe('failed')
    expect(scenario.api.list().letters.map(({ id }) => id)).toEqual(['t2'])
  })

  it('runs again once what it depends on was sent again before it', () => {
    const { scenario, process } = staged()
    const parent = scenario.submit({ attempts: 1 })
    scenario.submit({ dependsOn: ['t1'] })
    scenario.clock.settle()
    scenario.report(process, [ended(parent, 'retryable')])
    expect(scenario.api.redriveAll().redriven.map((handle) => handle.status().state)).toEqual([
      'queued',
      'blocked',
    ])
    scenario.clock.settle()
    scenario.report(process, [ended(scenario.records[2] as TaskRecord, 'ok')])
    expect(scenario.records.at(-1)?.state).toBe('queued')
    expect(scenario.api.list().letters).toEqual([])
  })
})
