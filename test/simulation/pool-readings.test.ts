/** What a pool says of itself, in parts: times, what ended last, alerts, and the types of it all. */
import fc from 'fast-check'
import { describe, expect, expectTypeOf, it } from 'vitest'
import type { PoolActor, SlotId, TaskHandle, TroupeError } from '../../src/index.ts'
import { Histogram } from '../../src/common/histogram.ts'
import { RECENT_ENDS, RecentEnds } from '../../src/ledger/results/recent-ends.ts'
import { watchQueue } from '../../src/pool/observe/alarms.ts'
import { alertsTap } from '../../src/pool/observe/alerts-tap.ts'
import { Router } from '../../src/pool/router.ts'
import { PoolAlerts } from '../../src/pool/observe/alerts.ts'
import { PoolEventEmitter } from '../../src/pool/observe/emitter.ts'
import { COPY_AFTER, MAX_COPIED, MapCompactor } from '../../src/common/map-compactor.ts'
import type { PlainTasks } from '../support/pool-under-test.ts'
import { recordOf } from './records.ts'

describe('a histogram', () => {
  const times = fc.array(fc.oneof(fc.nat({ max: 40 }), fc.nat({ max: 2 ** 31 - 1 })), {
    minLength: 1,
    maxLength: 300,
  })

  it('tells percentiles as a sorted list would, a sixteenth too high at most', () => {
    fc.assert(
      fc.property(times, fc.constantFrom(0.5, 0.9, 0.99, 1), (list, share) => {
        const histogram = new Histogram()
        for (const ms of list) histogram.note(ms)
        const sorted = list.toSorted((a, b) => a - b)
        const exact = sorted[Math.ceil(share * list.length) - 1] as number
        const reported = histogram.percentile(share)
        expect(reported).toBeGreaterThanOrEqual(exact)
        expect(reported).toBeLessThanOrEqual(exact * (1 + 1 / 16))
        const { count, max, mean } = histogram.summary()
        const sum = list.reduce((all, ms) => all + ms, 0)
        expect([count, max, mean]).toEqual([list.length, sorted.at(-1), sum / list.length])
      }),
    )
  })

  it('takes what no clock should say, and nothing at all', () => {
    const histogram = new Histogram()
    expect(histogram.summary()).toEqual({ count: 0, mean: 0, max: 0, p50: 0, p90: 0, p99: 0 })
    for (const ms of [-5, 0.4, 2 ** 40]) histogram.note(ms)
    expect(histogram.summary()).toMatchObject({ count: 3, p50: 0, max: 2 ** 31 - 1 })
  })
})

describe('recent ends', () => {
  const endOf = (id: string, value: unknown = null) => {
    const record = recordOf({ id })
    Object.assign(record, { id, state: 'succeeded', value })
    return record
  }

  it('knows the last 10,000 at least, and twice as many at most', () => {
    const ends = new RecentEnds()
    const all = 3 * RECENT_ENDS
    for (let index = 0; index < all; index++) ends.note(endOf(`e${index}`))
    expect(ends.get(`e${all - RECENT_ENDS}`)?.id).toBe(`e${all - RECENT_ENDS}`)
    expect(ends.get(`e${all - 2 * RECENT_ENDS - 1}`)).toBe(undefined)
    expect(ends.latest(3).map(({ id }) => id)).toEqual([
      `e${all - 1}`,
      `e${all - 2}`,
      `e${all - 3}`,
    ])
  })

  it('forgets sooner when results are large, and knows how an id ended last', () => {
    const ends = new RecentEnds()
    for (const id of ['a', 'b', 'c', 'd']) ends.note(endOf(id, new Uint8Array(20 * 1024 * 1024)))
    expect(['a', 'b', 'c', 'd'].map((id) => ends.get(id) !== undefined)).toEqual([
      false,
      false,
      true,
      true,
    ])
    ends.note(endOf('e'))
    ends.note(endOf('d', 'again'))
    expect(ends.latest(9).map(({ id }) => id)).toEqual(['d', 'e', 'd', 'c'])
    expect(ends.latest(3).map(({ id }) => id)).toEqual(['d', 'e', 'd'])
    expect(ends.latest(0)).toEqual([])
    expect(ends.get('d')?.value).toBe('again')
  })

  it('tells each as it ended, whatever its id is made of, when its room is used again', () => {
    const ends = new RecentEnds()
    const ids = ['', 'é', '任务', `long-${'x'.repeat(200)}`, 'x'.repeat(40), `${'x'.repeat(39)}Ā`]
    const lost = { code: 'WORKER_LOST', message: 'gone' }
    const note = (id: string, index: number) => {
      const record = endOf(id)
      const times = { attempt: index, startedAtMs: 2 ** 33, endedAtMs: 2 ** 33 + index }
      const state = (['succeeded', 'failed', 'cancelled'] as const)[index % 3]
      Object.assign(record, times, { state, error: index % 2 === 0 ? null : lost })
      ends.note(record)
    }
    for (const at of Array.from({ length: 4 }, (_, index) => index)) {
      for (let index = 0; index < RECENT_ENDS; index++) ends.note(endOf(`${ids[3]}-${at}-${index}`))
      ids.forEach(note)
      ids.forEach((id, index) => {
        expect(ends.get(id)).toEqual({
          id,
          name: 'noop',
          state: ['succeeded', 'failed', 'cancelled'][index % 3],
          value: null,
          error: index % 2 === 0 ? null : lost,
          attempt: index,
          runMs: index,
          endedAtMs: 2 ** 33 + index,
        })
      })
      expect(ends.latest(ids.length).map(({ id }) => id)).toEqual(ids.toReversed())
      expect(ends.get(`${ids[3]}-${at - 2}-0`)).toBe(undefined)
    }
  })
})

describe('the age of a table', () => {
  it('is over after so many leavings, unless it is large', () => {
    const age = new MapCompactor()
    const over = (size: number) =>
      Array.from({ length: 2 * COPY_AFTER }, () => age.isOver(size)).filter(Boolean).length
    expect([over(0), over(MAX_COPIED), over(MAX_COPIED + 1)]).toEqual([2, 2, 0])
  })
})

describe('alerts', () => {
  function alarmed() {
    let now = 1_000
    const said: string[] = []
    const events = new PoolEventEmitter(() => {})
    events.on('alert.raised', ({ code, slot = '' }) => said.push(`raised ${code} ${slot}`.trim()))
    events.on('alert.cleared', ({ code, slot = '' }) => said.push(`cleared ${code} ${slot}`.trim()))
    return { alerts: new PoolAlerts(events, () => now++), said }
  }

  it('are raised once and cleared once, and keep their since', () => {
    const { alerts, said } = alarmed()
    alerts.raise('DISK_LOW', 'first')
    alerts.raise('DISK_LOW', 'second')
    expect(alerts.list()).toEqual([{ code: 'DISK_LOW', message: 'second', since: 1_000 }])
    alerts.clear('DISK_LOW')
    alerts.clear('DISK_LOW')
    expect([alerts.list(), said]).toEqual([[], ['raised DISK_LOW', 'cleared DISK_LOW']])
  })

  it('of the queue come at nine tenths and go at eight', () => {
    const { alerts, said } = alarmed()
    for (const pending of [89, 90, 95, 85, 80, 79, 91]) watchQueue(alerts, pending, 100)
    expect(said).toEqual([
      'raised QUEUE_NEAR_FULL',
      'cleared QUEUE_NEAR_FULL',
      'raised QUEUE_NEAR_FULL',
    ])
  })

  it('follow the breaker, the memory and each worker', () => {
    const { alerts, said } = alarmed()
    const error = { code: 'WORKER_START_FAILED', message: 'it does not start' }
    const router = new Router((tap) => said.push(tap))
    const limits = { maxWorkerMemory: 0, maxWorkerMemoryHard: 0 }
    router.tap(alertsTap({ alerts, limits, largestOf: () => 0 }))
    const memory = (band: 'normal' | 'pressure' | 'critical') =>
      router.send('supervisor', 'pool', { type: 'memory.changed', band, ratio: 0.91 })
    router.send('supervisor', 'ledger', { type: 'dispatch.hold', holder: 'memory' })
    router.send('supervisor', 'ledger', { type: 'dispatch.hold', holder: 'breaker' })
    router.send('supervisor', 'ledger', { type: 'dispatch.free', holder: 'breaker' })
    router.send('supervisor', 'ledger', { type: 'pool.failed', error })
    router.send('supervisor', 'ledger', { type: 'intake.open' })
    memory('critical')
    memory('pressure')
    memory('normal')
    for (const slot of ['worker-1', 'worker-2'] as const) {
      router.send(slot, 'pool', { type: 'worker.failed', slot, error })
    }
    router.send('worker-1', 'pool', { type: 'worker.ready', slot: 'worker-1' })
    expect(said).toEqual([
      'raised BREAKER_OPEN',
      'cleared BREAKER_OPEN',
      'raised POOL_FAILED',
      'cleared POOL_FAILED',
      'raised MEMORY_CRITICAL',
      'cleared MEMORY_CRITICAL',
      'raised MEMORY_PRESSURE',
      'cleared MEMORY_PRESSURE',
      'raised WORKER_FAILED worker-1',
      'raised WORKER_FAILED worker-2',
      'cleared WORKER_FAILED worker-1',
    ])
    expect(alerts.list()).toMatchObject([{ slot: 'worker-2', message: 'it does not start' }])
  })
})

/** Never called: the compiler reads it. */
function types(pool: PoolActor<PlainTasks>): void {
  pool.on('task.succeeded', (event) => {
    expectTypeOf(event.status).toEqualTypeOf<'succeeded'>()
    expectTypeOf(event.value).toEqualTypeOf<unknown>()
  })
  pool.on('task.failed', (event) => expectTypeOf(event.error).toEqualTypeOf<TroupeError>())
  pool.on('worker.silent', ({ slot }) => expectTypeOf(slot).toEqualTypeOf<SlotId>())
  pool.on('pool.scaled', ({ by }) => expectTypeOf(by).toEqualTypeOf<'up' | 'down'>())
  // @ts-expect-error there is no such event
  pool.on('task.finished', () => {})
  const [count, echo] = pool.submitAll([
    { name: 'count', payload: 'file' },
    { name: 'echo', payload: 1, options: { dependsOn: ['a'] } },
  ])
  expectTypeOf(count).toEqualTypeOf<TaskHandle<number, string>>()
  expectTypeOf(echo).toEqualTypeOf<TaskHandle<unknown, unknown>>()
  // @ts-expect-error the payload of count is a string
  pool.submitAll([{ name: 'count', payload: 1 }])
  // @ts-expect-error there is no such task
  pool.submitAll([{ name: 'nobody', payload: 1 }])
  pool.map('count', ['file'], {
    id: (payload) => {
      expectTypeOf(payload).toEqualTypeOf<string>()
      return payload
    },
    cache: { key: (payload) => payload },
  })
  // @ts-expect-error one id cannot be for all
  pool.map('count', ['file'], { id: 'a' })
  // @ts-expect-error no default can name the tasks that one depends on
  const task: NonNullable<Parameters<typeof pool.run>[2]> = { dependsOn: 'a' }
  expectTypeOf(task).not.toBeAny()
}

describe('the types', () => {
  it('go from the task file to every event and handle', () => {
    expect(types).toBeTypeOf('function')
  })
})
