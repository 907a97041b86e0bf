/** `provideActions` is `machine.provide`, only cheaper: both make the same of the same events. */
import { type AnyStateMachine, createActor, type EventObject } from 'xstate'
import { describe, expect, it } from 'vitest'
import { shutdownMachine, workerMachine } from '../../machines/index.ts'
import { parseConfig } from '../../src/config/parse.ts'
import { provideActions } from '../../src/common/provide-actions.ts'
import { shutdownPolicy, workerPolicy } from '../../src/pool/policy.ts'

const config = parseConfig({ tasks: 'tasks.ts', workers: 1 })
const at = { incarnation: 1 }

const walks = [
  {
    machine: shutdownMachine as unknown as AnyStateMachine,
    input: { policy: shutdownPolicy(config) },
    events: [
      { type: 'shutdown.begin', force: false },
      { type: 'ledger.calmed' },
      { type: 'nobody.knows' },
      { type: 'workers.gone' },
      { type: 'run.swept' },
      { type: 'shutdown.begin', force: true },
    ],
  },
  {
    machine: workerMachine as unknown as AnyStateMachine,
    input: { slot: 'worker-1', policy: workerPolicy(config) },
    events: [
      { type: 'worker.start' },
      { type: 'start.granted' },
      { type: 'process.loaded', ...at },
      { type: 'session.ready', ...at },
      { type: 'tasks.assigned', ...at, tasks: [{ taskId: 't', attempt: 1, order: null }] },
      { type: 'tasks.ended', ...at, count: 1 },
      { type: 'worker.stop' },
      {
        type: 'process.exited',
        ...at,
        exit: { code: 0, signal: null },
        error: null,
        random: 0.5,
        atMs: 5,
      },
    ],
  },
] as const

const stillClock = { setTimeout: () => 0, clearTimeout: () => undefined }

/** Every command of a machine, each writing itself down. */
function actionsOf(machine: AnyStateMachine, reported: string[]): never {
  const names = Object.keys(machine.implementations.actions).filter((name) => name.includes('.'))
  const actionOf = (name: string) => (_: unknown, params: unknown) =>
    void reported.push(`${name} ${JSON.stringify(params)}`)
  return Object.fromEntries(names.map((name) => [name, actionOf(name)])) as never
}

/** Where the machine stands after each event. */
function play(machine: AnyStateMachine, input: unknown, events: readonly EventObject[]): string[] {
  const actor = createActor(machine, { input, clock: stillClock }).start()
  const stands = events.map((event) => {
    actor.send(event)
    const { value, context, status } = actor.getSnapshot()
    return JSON.stringify({ value, context, status })
  })
  actor.stop()
  return stands
}

describe('provideActions', () => {
  it.each(walks)('$machine.id', ({ machine, input, events }) => {
    const [ours, theirs]: [string[], string[]] = [[], []]
    const copy = provideActions(machine, actionsOf(machine, ours))
    const provided = machine.provide({ actions: actionsOf(machine, theirs) })
    const stands = play(copy, input, events)
    expect(stands).toEqual(play(provided, input, events))
    expect(new Set(stands).size).toBeGreaterThan(3)
    expect(ours).toEqual(theirs)
    expect(ours.length).toBeGreaterThan(3)
  })

  it('leaves the machine as it was', () => {
    const before = { ...shutdownMachine.implementations.actions }
    provideActions(shutdownMachine, { 'run.sweep': () => undefined })
    expect(shutdownMachine.implementations.actions).toEqual(before)
  })
})
