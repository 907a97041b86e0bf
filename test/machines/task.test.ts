import { taskMachine } from '../../machines/task.ts'
import { unguarded, without } from '../support/instrument.ts'
import { describeMachine } from '../support/machine-suite.ts'
import { taskEvents, taskPlan } from './task.events.ts'

describeMachine({
  machine: taskMachine,
  plan: taskPlan,
  types: Object.keys(taskEvents),
  states: 701,
  edges: 2169,
  goals: { 'its end': (snapshot) => snapshot.status === 'done' },
  mutants: [
    {
      fault: 'running no longer ignores pool.failed',
      plant: (machine) => without(machine, 'task.running · pool.failed · 0'),
      foundBy: 'totality',
    },
    {
      fault: 'a released task is queued again without limit',
      plant: (machine) => unguarded(machine, 'task.running · attempt.ended · 1'),
      foundBy: 'coverage',
    },
    {
      fault: 'a cancelled task whose process died is not cancelled',
      plant: (machine) => without(machine, 'task.cancelling · attempt.lost · 3'),
      foundBy: 'totality',
    },
  ],
})
