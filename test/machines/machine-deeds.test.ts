/** `withDeeds` is `machine.provide`, only cheaper: whatever happens, both make the same of it. */
import fc from 'fast-check'
import { type AnyStateMachine, createActor } from 'xstate'
import { describe, expect, it } from 'vitest'
import {
  poolMachine,
  sessionMachine,
  shutdownMachine,
  supervisorMachine,
  workerMachine,
} from '../../machines/index.ts'
import { withDeeds } from '../../src/machine-deeds.ts'

const machines: readonly AnyStateMachine[] = [
  poolMachine,
  workerMachine,
  supervisorMachine,
  sessionMachine,
  shutdownMachine,
]
const RUNS = 50
/** As much of an input as any of the machines reads at once. */
const INPUT = {
  workers: 2,
  standby: 0,
  startTimeoutMs: 1_000,
  slot: 'worker-1',
  policy: { scaling: {}, memory: {}, restart: {}, concurrency: 1 },
}

/** Every command of the machine, each writing itself down. */
function commandsOf(machine: AnyStateMachine, told: string[]) {
  const names = Object.keys(machine.implementations.actions).filter((name) => name.includes('.'))
  return Object.fromEntries(
    names.map((name) => [
      name,
      (_: unknown, params: unknown) => void told.push(`${name} ${JSON.stringify(params)}`),
    ]),
  )
}

/** What a machine comes to, and what it commands on the way. Events without facts may well throw. */
function play(machine: AnyStateMachine, types: readonly string[], told: string[]): unknown[] {
  const errors: unknown[] = []
  const actor = createActor(machine, { input: INPUT, clock: stillClock })
  actor.subscribe({ error: (error) => errors.push(String(error)) })
  const seen: unknown[] = []
  try {
    actor.start()
    for (const type of types) {
      actor.send({ type, slot: 'worker-1', incarnation: 1, tasks: [], slots: [], workers: 1 })
      const { value, context, status } = actor.getSnapshot()
      seen.push(JSON.stringify({ value, context, status }))
    }
  } catch (error) {
    errors.push(String(error))
  }
  actor.stop()
  return [seen, errors, told]
}

const stillClock = { setTimeout: () => 0, clearTimeout: () => undefined }

describe('withDeeds', () => {
  it.each(machines.map((machine) => ({ id: machine.id, machine })))('$id', ({ machine }) => {
    const types = machine.events.filter((type) => !type.startsWith('xstate.') && type !== '*')
    expect(types.length).toBeGreaterThan(3)
    const events = fc.array(fc.constantFrom(...types), { maxLength: 12 })
    fc.assert(
      fc.property(events, (walk) => {
        const [ours, theirs]: [string[], string[]] = [[], []]
        const copy = withDeeds(machine, commandsOf(machine, ours) as never)
        const provided = machine.provide({ actions: commandsOf(machine, theirs) as never })
        expect(play(copy, walk, ours)).toEqual(play(provided, walk, theirs))
      }),
      { numRuns: RUNS },
    )
  })

  it('leaves the machine as it was', () => {
    const before = { ...shutdownMachine.implementations.actions }
    withDeeds(shutdownMachine, { 'run.sweep': () => undefined })
    expect(shutdownMachine.implementations.actions).toEqual(before)
  })

  it('finds a difference where there is one', () => {
    const told: string[] = []
    const copy = withDeeds(shutdownMachine, { ...commandsOf(shutdownMachine, told) } as never)
    play(copy, ['shutdown.begin'], told)
    expect(told).not.toEqual([])
  })
})
