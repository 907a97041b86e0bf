/**
 * Bugs planted in copies of the machines, or of the task table's step. The checker must find each
 * with a short way to it.
 */
import { type AnyStateMachine, createMachine } from 'xstate'
import { grantNext } from '../../machines/supervisor-messages.ts'
import { FINAL_STATES, step } from '../../src/ledger/task/task-table.ts'
import {
  listOf,
  type NodeConfig,
  rewritten,
  sitesOf,
  unguarded,
  without,
} from '../support/instrument.ts'
import type { Step } from './ledger-messages.ts'
import { type CompositionPlan, SHIPPED } from './plan.ts'
import { planOf } from './plans.ts'

interface Mutant {
  readonly bug: string
  readonly plan: CompositionPlan
  /** What the checker says of it. */
  readonly foundAs: RegExp
}

const small = planOf({ name: 'mutant', workers: 1, tasks: 1 })
const planted = (bug: string, foundAs: RegExp, change: Partial<CompositionPlan>): Mutant => ({
  bug,
  foundAs,
  plan: { ...small, name: bug, ...change },
})
const worker = (make: (machine: AnyStateMachine) => AnyStateMachine) => ({
  machines: { ...SHIPPED, worker: make(SHIPPED.worker) },
})
const supervisor = (make: (machine: AnyStateMachine) => AnyStateMachine) => ({
  machines: { ...SHIPPED, supervisor: make(SHIPPED.supervisor) },
})

/** A copy whose transition says less. `isSaid` keeps an action. */
function hushed(
  machine: AnyStateMachine,
  id: string,
  isSaid: (action: unknown, index: number) => boolean,
): AnyStateMachine {
  const site = sitesOf(machine).find((one) => one.id === id)
  if (site === undefined) throw new Error(`${machine.id} has no transition ${id}`)
  return rewritten(machine, id, { actions: listOf(site.transition.actions).filter(isSaid) })
}

/** A copy that hears of it and does nothing. */
const ignoring = (machine: AnyStateMachine, id: string): AnyStateMachine =>
  rewritten(machine, id, { target: undefined, guard: undefined, actions: [] } as never)

/** A copy whose state does nothing when it is entered. */
function unentered(machine: AnyStateMachine, state: string): AnyStateMachine {
  const config = machine.config as NodeConfig
  const node: NodeConfig = { ...config.states?.[state], entry: [] }
  const changed = { ...config, states: { ...config.states, [state]: node } }
  return createMachine(changed as never, machine.implementations as never) as AnyStateMachine
}

const isReported = (name: string) => (action: unknown) =>
  (action as { type?: string }).type !== name
const settlesTwice: Step = (task, event, run) =>
  step(task, event, (own, command) => {
    run(own, command)
    if (command === 'task.settle') run(own, command)
  })
const forgetsTimeouts: Step = (task, event, run) =>
  event.type === 'grace.passed' ? 'ignored' : step(task, event, run)
const losesLost: Step = (task, event, run) =>
  event.type === 'attempt.lost' && !FINAL_STATES.has(task.state)
    ? 'ignored'
    : step(task, event, run)

export const MUTANTS: readonly Mutant[] = [
  planted(
    'the incarnation guard of session.ready is dropped',
    /^a stale session\.ready changes/,
    worker((machine) => unguarded(machine, 'worker.life.starting.launching · session.ready · 0')),
  ),
  planted(
    'the incarnation guard of session.launched is dropped',
    /^a stale session\.launched changes/,
    worker((machine) =>
      unguarded(machine, 'worker.life.starting.launching.opening · session.launched · 0'),
    ),
  ),
  planted(
    'the incarnation guard of process.exited is dropped',
    /^a stale process\.exited changes/,
    worker((machine) => unguarded(machine, 'ready · process.exited · 0')),
  ),
  planted('a task is settled twice', /^a task has ended twice$/, { step: settlesTwice }),
  planted('a task is forgotten with its process', /^a task is \w+ and has no worker$/, {
    step: losesLost,
  }),
  planted('a task past its grace is not killed', /^never at rest/, {
    step: forgetsTimeouts,
    users: [],
    faultKinds: ['stuckTask'],
  }),
  planted('tasks start in a paused pool', /^a task was started while the pool is paused$/, {
    machines: { ...SHIPPED, pool: unentered(SHIPPED.pool, 'paused') },
  }),
  planted('a shutdown lets tasks start', /^a task was started while the pool is stopping$/, {
    machines: { ...SHIPPED, shutdown: unentered(SHIPPED.shutdown, 'draining') },
  }),
  planted(
    'the ledger is not told of an exit',
    /^the ledger keeps capacity of a process that no worker has$/,
    worker((machine) => hushed(machine, 'ready · process.exited · 0', isReported('ledger.send'))),
  ),
  planted(
    'the ledger is not told that a worker closes',
    /tasks in flight, the ledger/,
    worker((machine) => hushed(machine, 'ready · worker.kill · 0', isReported('ledger.send'))),
  ),
  planted(
    'leave to start is never given back',
    /^never at rest/,
    worker((machine) =>
      hushed(
        machine,
        'worker.life.starting.forking · process.exited · 0',
        isReported('supervisor.send'),
      ),
    ),
  ),
  planted('the leave that a launch gives back is lost', /^never at rest/, {
    ...supervisor((machine) => without(machine, 'supervisor.restarts.closed · start.launched · 0')),
    workers: 2,
    maxStarting: 1,
  }),
  planted("a probe's launch lets another start", /^a half-open breaker has two probes$/, {
    ...supervisor((machine) =>
      rewritten(machine, 'supervisor.restarts.halfOpen.probing · start.launched · 0', {
        actions: ['noteLaunched', 'startNext', grantNext],
      }),
    ),
    workers: 2,
    faults: 2,
    faultKinds: ['crash'],
    maxStarting: 1,
  }),
  planted(
    'it restarts for ever',
    /^more crashes than the intensity allows/,
    supervisor((machine) => without(machine, 'supervisor.restarts.closed · worker.crashed · 0')),
  ),
  planted('every start is granted at once', /^more processes start at once than may$/, {
    ...supervisor((machine) =>
      unguarded(machine, 'supervisor.restarts.closed · start.requested · 0'),
    ),
    workers: 2,
    maxStarting: 1,
  }),
  planted(
    'a slot that has stopped does not say so',
    /^never at rest/,
    worker((machine) => rewritten(machine, 'lingering · always · 0', { actions: [] })),
  ),
  planted(
    'a start that cannot open its session keeps its leave',
    /^never at rest: a start permit/,
    {
      ...worker((machine) =>
        hushed(
          machine,
          'worker.life.starting.launching · port.failed · 0',
          isReported('supervisor.send'),
        ),
      ),
      faultKinds: ['portThrows'],
      users: [],
    },
  ),
  planted("a word that is lost is nobody's", /^a worker counts 0 tasks in flight/, {
    machines: { ...SHIPPED, pool: ignoring(SHIPPED.pool, 'pool · actor.failed · 0') },
    faultKinds: ['portThrows'],
    users: [],
  }),
  planted("a lost word in a shutdown is nobody's", /^a task was started while the pool is/, {
    machines: { ...SHIPPED, pool: ignoring(SHIPPED.pool, 'pool.stopping · port.failed · 0') },
    faultKinds: ['portThrows'],
    users: ['stop'],
  }),
  planted(
    'an event is not handled',
    /^worker does not expect retire\.requested/,
    worker((machine) => without(machine, 'ready · retire.requested · 1')),
  ),
]
