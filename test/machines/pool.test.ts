/** The pool machine, explored whole, and its contract C1. Holds G5 (no hope is an error, not a silence) and G8. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type AnyMachineSnapshot, type EventObject, initialTransition, transition } from 'xstate'
import { poolMachine } from '../../machines/pool.machine.ts'
import { commandsOf, explore } from '../support/explore.ts'
import { rewritten, without } from '../support/instrument.ts'
import { describeMachine } from '../support/machine-suite.ts'
import { poolEvents, poolPlan, standbyPlan } from './pool.events.ts'

describeMachine({
  machine: poolMachine,
  types: Object.keys(poolEvents),
  views: {
    whole: { plan: poolPlan, states: 1404, edges: 15818 },
    standby: { plan: standbyPlan, states: 1038, edges: 13444 },
  },
  goals: {
    idle: (snapshot) => snapshot.matches('idle'),
    running: (snapshot) => snapshot.matches('running'),
  },
  mutants: [
    {
      fault: 'paused no longer ignores the end of all tasks',
      plant: (machine) => without(machine, 'pool.paused.accepting · ledger.emptied · 0'),
      foundBy: 'totality',
    },
    {
      fault: 'a pause lets tasks in although the pool drains',
      plant: (machine) =>
        rewritten(machine, 'pool.running.draining · pool.pause · 0', {
          target: '#pool.paused.accepting',
        }),
      foundBy: 'violations',
    },
    {
      fault: 'the place of one that is lost stays empty beside a warm spare',
      plant: (machine) => without(machine, 'pool.running · always · 0'),
      foundBy: 'violations',
    },
    {
      fault: 'a pool whose last worker failed goes on',
      plant: (machine) => without(machine, 'pool.running · worker.failed · 0'),
      foundBy: 'violations',
    },
  ],
})

/** The contract C1, written down a second time and by hand: it does not learn from the machine. */
const contract: Readonly<Record<string, readonly string[]>> = {
  idle: ['starting', 'error'],
  starting: ['running', 'stopping', 'error'],
  running: ['paused', 'stopping', 'error'],
  paused: ['running', 'stopping', 'error'],
  stopping: ['idle', 'error'],
  error: ['idle', 'stopping'],
}
/** Where each command of the user means something. */
const allowed: Readonly<Record<string, readonly string[]>> = {
  'pool.start': ['idle'],
  'pool.pause': ['running'],
  'pool.resume': ['paused'],
  'pool.drain': ['running'],
  'pool.recover': ['error'],
  'pool.scale': ['idle', 'starting', 'running', 'paused'],
  'pool.stop': ['starting', 'running', 'paused', 'stopping', 'error'],
}
const MAX_STEPS = 60
const topOf = ({ value }: AnyMachineSnapshot): string =>
  typeof value === 'string' ? value : (Object.keys(value)[0] ?? '')

describe('the contract of the pool (C1)', () => {
  it('is exactly the ways between its six states', () => {
    const ways = new Set<string>()
    explore(poolMachine, {
      ...poolPlan,
      after: (step) => {
        const [from, to] = [topOf(step.from.snapshot), topOf(step.to)]
        if (from !== to) ways.add(`${from} → ${to}`)
        return poolPlan.after?.(step) ?? step.from.world
      },
    })
    const wanted = Object.entries(contract).flatMap(([from, targets]) =>
      targets.map((to) => `${from} → ${to}`),
    )
    expect([...ways].toSorted()).toEqual(wanted.toSorted())
  })

  it('holds on random walks, and a command out of place changes nothing', () => {
    const event = fc.constantFrom(...Object.values(poolEvents).flat())
    fc.assert(
      fc.property(fc.array(event, { maxLength: MAX_STEPS }), (walk) => {
        let [snapshot]: [AnyMachineSnapshot, ...unknown[]] = initialTransition(poolMachine, {
          workers: 2,
          startTimeoutMs: 1,
        })
        for (const step of walk) snapshot = walked(snapshot, step)
      }),
    )
  })
})

/** One step of a walk, judged by the contract. */
function walked(from: AnyMachineSnapshot, event: EventObject): AnyMachineSnapshot {
  const [next, actions] = transition(poolMachine, from as never, event as never)
  const to = next as AnyMachineSnapshot
  const [before, after] = [topOf(from), topOf(to)]
  if (before !== after) expect(contract[before]).toContain(after)
  const isOutOfPlace = allowed[event.type]?.includes(before) === false
  if (isOutOfPlace) {
    expect(to.value).toEqual(from.value)
    expect(to.context).toEqual(from.context)
    expect(commandsOf(actions)).toEqual([])
  }
  return to
}
