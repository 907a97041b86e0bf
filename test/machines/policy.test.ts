/** The pure decisions: backoff, intensity, bands, limits of size, scaling, who serves and who stands by. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  firstRoster,
  reassign,
  swapVacant,
  vacancy,
  type PoolContext,
} from '../../machines/pool.setup.ts'
import {
  type Backoff,
  backoffMs,
  burstingWorkers,
  crashesWithin,
  EDGE_HYSTERESIS,
  isBlameless,
  isDiskLow,
  isPastEdge,
  largestWorker,
  MAX_CRASHES_KEPT,
  type MemoryBand,
  memoryBand,
  type MemoryPolicy,
  oversizedSlots,
  wantsLess,
  wantsMore,
} from '../../machines/policy.ts'
import type { Reading, SlotId, WorkerReading } from '../../machines/protocol.ts'

const backoff: Backoff = { type: 'exponential', delayMs: 200, maxDelayMs: 30_000, jitter: 0.2 }
const memory: MemoryPolicy = {
  pressureRatio: 0.75,
  criticalRatio: 0.9,
  hysteresis: 0.05,
  dwellMs: 5_000,
  maxWorkerBytes: 100,
  killWorkerBytes: 200,
}
const slotAt = (number: number): SlotId => `worker-${number}`
const worker = (facts: Partial<WorkerReading>): WorkerReading => ({
  slot: 'worker-1',
  incarnation: 1,
  serving: true,
  memoryBytes: 50,
  silentMs: 0,
  busy: false,
  ...facts,
})
const reading = (facts: Partial<Reading>): Reading => ({
  atMs: 0,
  memoryRatio: 0.1,
  diskFreeBytes: null,
  utilization: 0.5,
  queued: 0,
  ready: 1,
  workers: [],
  ...facts,
})
const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })

describe('backoff', () => {
  it('doubles from the first failure to its cap, and jitters around that', () => {
    const middle = [1, 2, 3, 4, 9, 40].map((failures) => backoffMs(backoff, failures, 0.5))
    expect(middle).toEqual([200, 400, 800, 1_600, 30_000, 30_000])
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 31 }), random, (failures, drawn) => {
        const full = Math.min(200 * 2 ** (failures - 1), 30_000)
        const ms = backoffMs(backoff, failures, drawn)
        expect(ms).toBeGreaterThanOrEqual(Math.floor(full * 0.8))
        expect(ms).toBeLessThanOrEqual(Math.ceil(full * 1.2))
      }),
    )
    expect(backoffMs({ ...backoff, type: 'fixed', jitter: 0 }, 20, 0.9)).toBe(200)
  })

  it('counts only the crashes of the period, and not without end', () => {
    expect(crashesWithin([0, 50, 99, 100], 149, 100)).toEqual([50, 99, 100])
    expect(crashesWithin(Array(1_000).fill(1), 1, 100)).toHaveLength(MAX_CRASHES_KEPT)
  })
})

describe('the end of a process', () => {
  it('is charged to the task that was alone in it, unless it was for another’s sake', () => {
    const causes = ['crashed', 'violated', 'silent', 'memory', 'memoryShortage', 'stopped'] as const
    const charged = (alone: boolean) => causes.filter((cause) => !isBlameless(cause, alone))
    expect(charged(true)).toEqual(['crashed', 'violated', 'silent', 'memory'])
    // Nobody knows which of them has taken the memory.
    expect(charged(false)).toEqual(['crashed', 'violated', 'silent'])
  })
})

describe('memory', () => {
  const bandOf = (from: MemoryBand, ratio: number) => memoryBand(memory, from, ratio)

  it('has bands that are left below where they are entered', () => {
    expect([0.74, 0.75, 0.89, 0.9].map((ratio) => bandOf('normal', ratio))).toEqual([
      'normal',
      'pressure',
      'pressure',
      'critical',
    ])
    expect(bandOf('pressure', 0.71)).toBe('pressure')
    expect(bandOf('pressure', 0.69)).toBe('normal')
    expect(bandOf('critical', 0.86)).toBe('critical')
    expect(bandOf('critical', 0.84)).toBe('pressure')
  })

  it('does not flutter: a ratio that stays where it is changes no band twice', () => {
    fc.assert(
      fc.property(
        fc.constantFrom<MemoryBand>('normal', 'pressure', 'critical'),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (from, ratio) => {
          const next = bandOf(from, ratio)
          expect(bandOf(next, ratio)).toBe(next)
        },
      ),
    )
  })

  it('is freed by the largest idle worker, and by a busy one only when that is allowed', () => {
    const workers = [
      worker({ memoryBytes: 10 }),
      worker({ slot: 'worker-2', memoryBytes: 30 }),
      worker({ slot: 'worker-3', memoryBytes: 90, busy: true }),
      worker({ slot: 'worker-4', memoryBytes: 99, serving: false }),
    ]
    expect(largestWorker(workers, true)?.slot).toBe('worker-2')
    const busy = workers.filter((one) => one.busy)
    expect(largestWorker(busy, false)).toBeNull()
    expect(largestWorker(busy, true)?.slot).toBe('worker-3')
  })

  it('of one worker has a soft limit for those who serve and a hard one for all', () => {
    const seen = reading({
      workers: [
        worker({ memoryBytes: 100 }),
        worker({ slot: 'worker-2', memoryBytes: 101 }),
        worker({ slot: 'worker-3', memoryBytes: 101, serving: false }),
        worker({ slot: 'worker-4', memoryBytes: 201 }),
        worker({ slot: 'worker-5', memoryBytes: 201, serving: false }),
      ],
    })
    expect(oversizedSlots(seen, memory)).toEqual(['worker-2'])
    expect(burstingWorkers(seen, memory).map(({ slot }) => slot)).toEqual(['worker-4', 'worker-5'])
    const off = { ...memory, maxWorkerBytes: 0, killWorkerBytes: 0 }
    expect([...oversizedSlots(seen, off), ...burstingWorkers(seen, off)]).toEqual([])
    const softOnly = { ...memory, killWorkerBytes: 0 }
    expect(oversizedSlots(seen, softOnly)).toEqual(['worker-2', 'worker-4'])
  })

  it('past an edge of one’s own choice stays so until it has fallen well below', () => {
    expect(isPastEdge(0.5, false, 0.5)).toBe(true)
    expect(isPastEdge(0.5, false, 0.499)).toBe(false)
    expect(isPastEdge(0.5, true, 0.5 - EDGE_HYSTERESIS)).toBe(true)
    expect(isPastEdge(0.5, true, 0.449)).toBe(false)
  })
})

it('a disk is low below its floor, and no longer a tenth above it; unknown changes nothing', () => {
  expect([999, 1_000].map((free) => isDiskLow(1_000, false, free))).toEqual([true, false])
  expect([1_099, 1_100].map((free) => isDiskLow(1_000, true, free))).toEqual([true, false])
  expect([true, false].map((wasLow) => isDiskLow(1_000, wasLow, null))).toEqual([true, false])
  expect(isDiskLow(0, false, 0)).toBe(false)
})

describe('scaling', () => {
  const elastic = { minWorkers: 1, maxWorkers: 3, upAt: 0.8, downAt: 0.2, idleMs: 1 }
  const fixed = { ...elastic, minWorkers: 2, maxWorkers: 2 }
  const full = reading({ utilization: 0.8, queued: 1 })
  const empty = reading({ utilization: 0.2 })

  it('asks for more at 80 % while tasks wait, and for less at 20 % when none does', () => {
    expect(wantsMore(elastic, full, 2)).toBe(true)
    expect(wantsMore(elastic, reading({ utilization: 0.79, queued: 9 }), 2)).toBe(false)
    expect(wantsMore(elastic, reading({ utilization: 1 }), 2)).toBe(false)
    expect(wantsLess(elastic, empty, 2)).toBe(true)
    expect(wantsLess(elastic, reading({ utilization: 0.2, queued: 1 }), 2)).toBe(false)
    expect(wantsLess(elastic, reading({ utilization: 0.21 }), 2)).toBe(false)
  })

  it('keeps to its bounds, and a fixed size is fixed', () => {
    expect(wantsMore(elastic, full, 3)).toBe(false)
    expect(wantsLess(elastic, empty, 1)).toBe(false)
    expect(wantsMore(fixed, full, 2)).toBe(false)
    expect(wantsLess(fixed, empty, 2)).toBe(false)
  })
})

describe('the cast of a pool', () => {
  const context = (facts: Partial<PoolContext>) =>
    ({ serving: [], spares: [], ready: [], warm: [], size: 0, affordable: 0, ...facts }) as never
  const company = fc
    .record({
      size: fc.integer({ min: 1, max: 4 }),
      standby: fc.integer({ min: 0, max: 3 }),
      order: fc.shuffledSubarray([1, 2, 3, 4, 5, 6, 7, 8], { minLength: 8 }),
      warm: fc.subarray([0, 1, 2]),
    })
    .map(({ size, standby, order, warm }) => {
      const slots = order.map(slotAt)
      const spares = slots.slice(size, size + standby)
      return {
        serving: slots.slice(0, size),
        spares,
        ready: slots.slice(0, size - 1),
        warm: spares.filter((_, at) => warm.includes(at)),
      }
    })

  it('begins with the first slots', () => {
    expect(firstRoster(context({ size: 2, affordable: 1 }))).toEqual({
      serving: ['worker-1', 'worker-2'],
      spares: ['worker-3'],
    })
  })

  it('of another size has as many as are wanted, no slot twice, and changes no more than it must', () => {
    const wanted = [fc.integer({ min: 1, max: 6 }), fc.integer({ min: 0, max: 3 })] as const
    fc.assert(
      fc.property(company, ...wanted, (before, size, standby) => {
        const next = reassign(before, size, standby)
        expect([next.serving.length, next.spares.length]).toEqual([size, standby])
        expect(new Set([...next.serving, ...next.spares]).size).toBe(size + standby)
        const kept = before.serving.filter((slot) => next.serving.includes(slot))
        expect(kept).toHaveLength(Math.min(before.serving.length, size))
        // Nobody who serves is put on the bench.
        expect(next.spares.filter((slot) => before.serving.includes(slot))).toEqual([])
        expect(next.warm.every((slot) => next.spares.includes(slot))).toBe(true)
        const called = before.warm.filter((slot) => next.serving.includes(slot))
        expect(called.every((slot) => next.ready.includes(slot))).toBe(true)
        // A warm spare is called before one that still starts.
        const cold = before.spares.filter((slot) => !before.warm.includes(slot))
        if (cold.some((slot) => next.serving.includes(slot))) expect(called).toEqual(before.warm)
      }),
    )
  })

  it('fills a vacancy with a warm spare; the two change places', () => {
    fc.assert(
      fc.property(company, (before) => {
        const vacant = vacancy(context(before))
        const [called] = before.warm
        const change = swapVacant(context(before))
        if (vacant === null || called === undefined) {
          expect(change).toEqual({})
          return
        }
        const next = { ...before, ...change }
        expect(next.serving.includes(called)).toBe(true)
        expect(next.spares.includes(vacant)).toBe(true)
        expect(next.ready.includes(called)).toBe(true)
        expect(next.warm).toEqual(before.warm.slice(1))
        expect([...next.serving, ...next.spares].toSorted()).toEqual(
          [...before.serving, ...before.spares].toSorted(),
        )
      }),
    )
  })
})
