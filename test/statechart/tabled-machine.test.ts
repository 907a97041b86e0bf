/**
 * A machine by its table takes the steps that XState takes: hundreds of states of each machine, left by every
 * event that it may meet there, both ways. The fleet looks again: one life in a hundred is lived a second time,
 * by XState itself.
 */
import {
  type AnyMachineSnapshot,
  type AnyStateMachine,
  createActor,
  initialTransition,
  setup,
  transition,
} from 'xstate'
import { describe, expect, it } from 'vitest'
import {
  poolMachine,
  sessionMachine,
  shutdownMachine,
  supervisorMachine,
  taskMachine,
  workerMachine,
} from '../../machines/index.ts'
import { tabled } from '../../src/statechart/tabled-machine.ts'
import { poolPlan, standbyPlan } from '../machines/pool.events.ts'
import { sessionPlan } from '../machines/session.events.ts'
import { shutdownPlan } from '../machines/shutdown.events.ts'
import { supervisorPlans } from '../machines/supervisor.events.ts'
import { workerPlan } from '../machines/worker.events.ts'
import { explore, type ExplorePlan, type Step } from '../support/explore.ts'
import { MARK, unguarded, without } from '../support/instrument.ts'

const FOLLOWED = 250

type AnyPlan = ExplorePlan<unknown>
type Actions = readonly { readonly type: string; readonly params?: unknown }[]

const plans: readonly (readonly [string, AnyStateMachine, AnyPlan])[] = [
  ['pool', poolMachine, poolPlan as unknown as AnyPlan],
  ['pool with standby', poolMachine, standbyPlan as unknown as AnyPlan],
  ['worker', workerMachine, workerPlan as unknown as AnyPlan],
  ['session', sessionMachine, sessionPlan as unknown as AnyPlan],
  ['shutdown', shutdownMachine, shutdownPlan as unknown as AnyPlan],
  ...Object.entries(supervisorPlans).map(
    ([name, plan]) =>
      [`supervisor: ${name}`, supervisorMachine, plan as unknown as AnyPlan] as const,
  ),
]

/** What a step came to. */
function reported(snapshot: AnyMachineSnapshot, actions: Actions) {
  const { value, context, status, tags, historyValue } = snapshot
  return {
    value,
    context,
    status,
    tags: [...tags],
    nodes: snapshot._nodes.map(({ id }) => id).toSorted(),
    history: Object.entries(historyValue).map(([id, nodes]) => [id, nodes.map((node) => node.id)]),
    // The explorer's own marks are no actions of the machine.
    actions: actions.flatMap(({ type, params }) => (type === MARK ? [] : [{ type, params }])),
  }
}

/** The first step at which the two part, or null. So many states are left by every event they may meet. */
function difference(machine: AnyStateMachine, table: AnyStateMachine, plan: AnyPlan) {
  let found: object | null = null
  let followed = 0
  const compare = (step: Step<unknown>) => {
    const { event, from } = step
    const own = from.snapshot.machine as AnyStateMachine
    const ways = [own, table].map((way) => {
      const [next, actions] =
        event === null
          ? initialTransition(way, plan.inputs[0] as never)
          : transition(way, from.snapshot as never, event as never)
      return reported(next as AnyMachineSnapshot, actions)
    })
    const texts = ways.map((way) => JSON.stringify(way))
    if (texts[0] !== texts[1]) found ??= { event, from: from.snapshot.value, ways }
  }
  explore(machine, {
    ...plan,
    after: (step) => {
      if (found === null) compare(step)
      return plan.after?.(step) ?? step.from.world
    },
    isWithin: (at) => found === null && followed++ < FOLLOWED && plan.isWithin?.(at) !== false,
  })
  return found
}

describe('a machine by its table', () => {
  it.each(plans)('%s: takes the steps that XState takes', (_, machine, plan) => {
    expect(tabled(machine)).not.toBe(machine)
    expect(difference(machine, tabled(machine), plan)).toBeNull()
  })

  it.each([
    ['a transition is missing', without(workerMachine, 'ready · worker.recycle · 0')],
    ['a guard is not asked', unguarded(workerMachine, 'worker.life.ready.busy · tasks.ended · 1')],
  ])('finds it when the table is of another machine: %s', (_, mutant) => {
    expect(
      difference(workerMachine, tabled(mutant), workerPlan as unknown as AnyPlan),
    ).not.toBeNull()
  })

  it('leaves machines that end to XState', () => {
    expect(tabled(taskMachine)).toBe(taskMachine)
  })

  it('tells an inspector the same', () => {
    const machine = shutdownMachine as unknown as AnyStateMachine
    const seen = (own: AnyStateMachine) => {
      const lines: string[] = []
      const actor = createActor(own, {
        input: shutdownPlan.inputs[0],
        clock: { setTimeout: () => 0, clearTimeout: () => undefined },
        inspect: (event) => {
          const { type, snapshot } = event as { type: string; snapshot?: { value?: unknown } }
          lines.push(`${type} ${JSON.stringify(snapshot?.value ?? null)}`)
        },
      })
      actor.start()
      return lines
    }
    expect(seen(tabled(machine))).toEqual(seen(machine))
  })
})

describe('what else a machine may do', () => {
  const machine = setup({
    types: { context: {} as { steps: string[] }, events: {} as { type: 'go' | 'boom' } },
    guards: {
      isLong: ({ context }, { least }: { least: number }) => context.steps.length >= least,
    },
  }).createMachine({
    id: 'other',
    context: { steps: [] },
    initial: 'a',
    states: {
      a: {
        on: {
          go: [
            { guard: { type: 'isLong', params: { least: 2 } }, target: 'b' },
            { actions: ({ context }) => void context.steps.push('a') },
          ],
        },
      },
      b: {},
    },
    on: {
      boom: {
        actions: () => {
          throw new Error('boom')
        },
      },
    },
  })

  it('guards have parameters', () => {
    const actor = createActor(tabled(machine)).start()
    for (let step = 0; step < 3; step++) actor.send({ type: 'go' })
    expect(actor.getSnapshot().value).toBe('b')
  })

  it('an action that throws ends the actor', () => {
    const actor = createActor(tabled(machine))
    const errors: unknown[] = []
    actor.subscribe({ error: (error) => errors.push(error) })
    actor.start()
    actor.send({ type: 'boom' })
    expect([actor.getSnapshot().status, String(errors)]).toEqual(['error', 'Error: boom'])
  })
})
