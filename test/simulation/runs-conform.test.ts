/**
 * Simulated lives of the real pool are recorded, and every step they take is one of the machines' (G8).
 * What they cover counts as the simulation's share in the report on coverage.
 */
import { expect, test } from 'vitest'
import { useVirtualTime } from '../../src/testing/simulation/virtual-time.ts'
import { simulateSchedule } from './schedule-run.ts'
import { scheduleOf } from './schedule.ts'

const SEEDS = 40

test(`of ${SEEDS} seeds every step is one of the machines`, { timeout: 120_000 }, async () => {
  const giveTimeBack = useVirtualTime()
  try {
    for (let seed = 0; seed < SEEDS; seed++) {
      const { violations, events } = await simulateSchedule(scheduleOf(seed), { isCounting: true })
      expect(violations, `seed ${seed}`).toEqual([])
      expect(events).toBeGreaterThan(0)
    }
  } finally {
    giveTimeBack()
  }
})
