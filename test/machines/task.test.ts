/** The task machine, explored whole. Holds G1 (it ends, once) and G2 (it has not ended while its code may run). */
import { taskMachine } from '../../machines/task.machine.ts'
import { rewritten, unguarded, without } from '../support/instrument.ts'
import { describeMachine } from '../support/machine-suite.ts'
import { taskEvents, taskPlan } from './task.events.ts'

describeMachine({
  machine: taskMachine,
  types: Object.keys(taskEvents),
  views: { whole: { plan: taskPlan, states: 1291, edges: 4159 } },
  goals: { 'its end': (snapshot) => snapshot.status === 'done' },
  mutants: [
    {
      fault: 'a task ends while its code may still run',
      plant: (machine) =>
        rewritten(machine, 'task.running · task.cancel · 0', { target: 'cancelled' }),
      foundBy: 'violations',
    },
    {
      fault: 'running no longer ignores pool.failed',
      plant: (machine) => without(machine, 'task.running · pool.failed · 0'),
      foundBy: 'totality',
    },
    {
      fault: 'a task whose attempts are spent is tried again',
      plant: (machine) => unguarded(machine, 'task.running · attempt.ended · 4'),
      foundBy: 'endlessness',
    },
    {
      fault: 'a cancelled task whose process died is not cancelled',
      plant: (machine) => without(machine, 'task.cancelling · attempt.lost · 3'),
      foundBy: 'totality',
    },
    {
      fault: 'a poison task is started again',
      plant: (machine) => without(machine, 'task.running · attempt.lost · 2'),
      foundBy: 'counts',
    },
    {
      fault: 'every lost attempt counts as a bystander',
      plant: (machine) => unguarded(machine, 'task.assigned · attempt.lost · 1'),
      foundBy: 'endlessness',
    },
  ],
})
