/** The timer heap against an array that is searched whole. */
import { strict as assert } from 'node:assert'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { TaskRecord } from '../../../src/ledger/task/record.ts'
import { dueAtMs, TimerHeap } from '../../../src/ledger/task/timer-heap.ts'
import { recordOf } from '../../simulation/records.ts'

const RUNS = 1_000
const MAX_MOVES = 80
const RECORDS = 12

/** 0 for no timer. Few times, so that many are the same. */
const timeMs = fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 30 }))
const moves = fc.array(
  fc.record({
    pick: fc.nat({ max: RECORDS - 1 }),
    timerAtMs: timeMs,
    deadlineAtMs: timeMs,
  }),
  { maxLength: MAX_MOVES, size: 'max' },
)

const dueOf = ({ timerAtMs, deadlineAtMs }: TaskRecord) => {
  const times = [timerAtMs, deadlineAtMs].filter((atMs) => atMs !== 0)
  return times.length === 0 ? 0 : Math.min(...times)
}

function assertMatch(heap: TimerHeap, records: readonly TaskRecord[]): void {
  const times = records.map(dueOf).filter((atMs) => atMs !== 0)
  const firstAtMs = times.length === 0 ? 0 : Math.min(...times)
  assert.equal(heap.size, times.length)
  assert.equal(heap.nextAtMs, firstAtMs)
  assert.equal(heap.due(firstAtMs - 1), null)
  const due = heap.due(firstAtMs)
  assert.equal(due === null ? 0 : dueOf(due), firstAtMs)
  const places = records.map(({ heapIndex }) => heapIndex).filter((index) => index !== -1)
  assert(places.toSorted((a, b) => a - b).every((place, index) => place === index))
  assert(records.every((record) => dueAtMs(record) === dueOf(record)))
}

describe('the timer heap', () => {
  it('knows the earliest, however the times change', () => {
    fc.assert(
      fc.property(moves, (made) => {
        const heap = new TimerHeap()
        const records = Array.from({ length: RECORDS }, () => recordOf())
        for (const { pick, timerAtMs, deadlineAtMs } of made) {
          const record = records[pick] as TaskRecord
          Object.assign(record, { timerAtMs, deadlineAtMs })
          heap.update(record)
          assertMatch(heap, records)
        }
      }),
      { numRuns: RUNS },
    )
  })

  it('gives all of them in the order of their times', () => {
    const times = fc.array(fc.integer({ min: 1, max: 1_000 }), { maxLength: 200, size: 'max' })
    fc.assert(
      fc.property(times, (list) => {
        const heap = new TimerHeap()
        for (const timerAtMs of list) heap.update(Object.assign(recordOf(), { timerAtMs }))
        const rung: number[] = []
        for (let next = heap.due(Infinity); next !== null; next = heap.due(Infinity)) {
          rung.push(next.timerAtMs)
          next.timerAtMs = 0
          heap.update(next)
          assert.equal(next.heapIndex, -1)
        }
        expect(rung).toEqual(list.toSorted((a, b) => a - b))
      }),
      { numRuns: RUNS },
    )
  })
})
