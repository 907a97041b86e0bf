/**
 * Layer 2, the large composition: 2 workers, 3 tasks, 1 fault, every state there is. It takes half a
 * minute of a quiet core. G1, G4, G5, G8.
 */
import { expect, it } from 'vitest'
import { check } from './checker.ts'
import { noteTaken } from './machine-counts.ts'
import { WHOLE_PLAN } from './plans.ts'
import { textOf, traceOf } from './trace.ts'

const LIMITS = { maxStates: 1_500_000, maxSeconds: 900 }
const TEST_TIMEOUT_MS = 960_000

/** Pinned: a change of behaviour shows here first. */
const PINNED = { states: 347_798, edges: 2_815_459 }

it('2 workers, 3 tasks and 1 fault break no rule', { timeout: TEST_TIMEOUT_MS }, () => {
  const exploration = check(WHOLE_PLAN, LIMITS)
  noteTaken(exploration)
  const { states, edges, isComplete, inCircles, violations } = exploration
  expect(violations.map((violation) => textOf(traceOf(exploration, violation)))).toEqual([])
  expect({ isComplete, inCircles }).toEqual({ isComplete: true, inCircles: 0 })
  expect({ states, edges }).toEqual(PINNED)
})
