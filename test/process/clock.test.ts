/** The real clock of a pool: its timers come when they are due, and leave nothing when taken back. */
import { expect, test } from 'vitest'
import { createClock } from '../../src/common/clock.ts'
import { heldBytes } from '../support/held-bytes.ts'

const HOUR_MS = 3_600_000
const TIMERS = 50_000
/** Node's list for a duration takes 160 bytes: together they would be 8 MB. */
const MAX_GROWTH_BYTES = 2_000_000

test('a timer that takes several steps comes once, and not before its time', async () => {
  const clock = createClock()
  const beginMs = performance.now()
  const seen: number[] = []
  await new Promise<void>((resolve) => {
    clock.after(700, resolve)
    for (const ms of [1, 255, 257, 513, 600]) {
      clock.after(ms, () => {
        expect(performance.now() - beginMs).toBeGreaterThanOrEqual(ms)
        seen.push(ms)
      })
    }
    clock.after(650, () => seen.push(650))()
  })
  expect(seen).toEqual([1, 255, 257, 513, 600])
})

test('timers of many durations leave nothing when they are taken back', async () => {
  const clock = createClock()
  const takeMany = () => {
    for (let index = 0; index < TIMERS; index++) clock.after(HOUR_MS + index, () => {})()
  }
  const before = await heldBytes()
  takeMany()
  expect((await heldBytes()) - before).toBeLessThan(MAX_GROWTH_BYTES)
})
