/**
 * Simulated lives of the real pool are recorded, and every step they take is one of the machines' (G8). What
 * they cover counts as the simulation's share in the report on coverage.
 */
import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { checkConformance, problemText } from '../../src/testing/conformance.ts'
import { useVirtualTime } from '../../src/testing/virtual-time.ts'
import { noteCoverage } from '../support/coverage.ts'
import { newTraceFolder, recordPools } from '../support/traces.ts'
import { live } from './schedule-run.ts'
import { scheduleOf } from './schedule.ts'

const SEEDS = 40
let folder = ''

beforeAll(() => {
  folder = newTraceFolder()
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test(`of ${SEEDS} seeds every step is one of the machines`, { timeout: 120_000 }, async () => {
  const giveTimeBack = useVirtualTime()
  try {
    for (let seed = 0; seed < SEEDS; seed++) {
      recordPools(join(folder, `${seed}.jsonl`))
      await live(scheduleOf(seed), {})
    }
  } finally {
    giveTimeBack()
  }
  const traces = readdirSync(folder).filter((name) => name.endsWith('.jsonl'))
  expect(traces.length).toBeGreaterThanOrEqual(SEEDS)
  let steps = 0
  for (const name of traces) {
    const report = checkConformance(join(folder, name))
    noteCoverage('simulation', report.taken)
    steps += report.steps
    // A pool that the schedule kills writes no end.
    const wrong = report.problems.filter(({ kind }) => kind !== 'truncated').map(problemText)
    expect(wrong, name).toEqual([])
  }
  expect(steps).toBeGreaterThan(SEEDS * 10)
})
