/**
 * Layer 2: the composed machines, explored whole. G1, G4, G5, G8. The composition of 2 workers, 3
 * tasks and 1 fault is in `whole.test.ts`; here are those that end in seconds, and planted bugs that
 * must be found.
 */
import { describe, expect, it } from 'vitest'
import { check, type Exploration } from './checker.ts'
import { noteTaken } from './machine-counts.ts'
import { MUTANTS } from './mutants.ts'
import { OPEN_FINDINGS, SHORT_PLANS } from './plans.ts'
import { sightingsOf } from './sightings.ts'
import { chartOf, textOf, traceOf } from './trace.ts'

const LIMITS = { maxStates: 400_000, maxSeconds: 60 }
const TEST_TIMEOUT_MS = 90_000
/** No way to a planted bug is longer than this. */
const MAX_STEPS = 12

/** Pinned: a change of behaviour shows here first. */
const PINNED: Readonly<Record<string, readonly [states: number, edges: number]>> = {
  one: [15_845, 89_194],
  quarantine: [5_306, 16_607],
  leave: [20_745, 103_109],
  breaker: [54_442, 231_737],
  recycling: [44_441, 221_997],
  clocks: [12_599, 67_182],
  memory: [110_875, 1_118_042],
  disk: [5_197, 29_463],
  load: [15_127, 136_289],
  standby: [13_883, 52_511],
  reacting: [2_130, 11_586],
  scaling: [133_437, 818_644],
  ports: [2_107, 11_930],
  portsRecycling: [16_729, 91_736],
  portsStandby: [7_005, 37_799],
}

const explorations = new Map<string, Exploration>()

describe('the composed machines', () => {
  it.each(SHORT_PLANS)('break no rule: $name', { timeout: TEST_TIMEOUT_MS }, (plan) => {
    const exploration = check(plan, LIMITS)
    explorations.set(plan.name, exploration)
    noteTaken(exploration)
    const { states, edges, isComplete, inCircles, violations } = exploration
    const fresh = violations.filter(({ violation }) => OPEN_FINDINGS[violation] === undefined)
    expect(fresh.map((violation) => textOf(traceOf(exploration, violation)))).toEqual([])
    expect({ isComplete, inCircles }).toEqual({ isComplete: true, inCircles: 0 })
    expect([states, edges]).toEqual(PINNED[plan.name])
  })
  it('show everything that is worth guarding against', () => {
    const unseen = Object.entries(sightingsOf([...explorations.values()]))
      .filter(([, count]) => count === 0)
      .map(([name]) => name)
    expect(unseen).toEqual([])
  })
  it('still break the rules of findings that are said to be open', () => {
    const all = [...explorations.values()].flatMap(({ violations }) => violations)
    const violations = new Set(all.map(({ violation }) => violation))
    expect(Object.keys(OPEN_FINDINGS).filter((violation) => !violations.has(violation))).toEqual([])
  })
})

describe('a planted bug is found by a short way', () => {
  it.each(MUTANTS)('$bug', { timeout: TEST_TIMEOUT_MS }, ({ plan, foundAs }) => {
    const exploration = check(plan, { ...LIMITS, isUntilViolation: true })
    const [violation] = exploration.violations
    expect(violation?.violation).toMatch(foundAs)
    const trace = traceOf(exploration, violation as NonNullable<typeof violation>)
    expect(trace.steps.length).toBeGreaterThan(0)
    expect(trace.steps.length).toBeLessThanOrEqual(MAX_STEPS)
    expect(chartOf(trace)).toContain('sequenceDiagram')
  })
})

describe('symmetry', () => {
  it('hides nothing: slots told apart break no more rules', { timeout: TEST_TIMEOUT_MS }, () => {
    const plan = SHORT_PLANS.find(({ name }) => name === 'leave')
    if (plan === undefined) throw new Error('no composition leave')
    const folded = explorations.get('leave') ?? check(plan, LIMITS)
    const apart = check({ ...plan, isSymmetric: false }, LIMITS)
    const violationsOf = ({ violations }: Exploration) =>
      violations.map(({ violation }) => violation).toSorted()
    expect(violationsOf(apart)).toEqual(violationsOf(folded))
    expect(apart.states).toBeGreaterThan(folded.states)
  })
})
