/** The shutdown machine, explored whole. Holds G3 (it ends, and says whether all is clean) and G8. */
import { shutdownMachine } from '../../machines/shutdown.machine.ts'
import { unguarded, without } from '../support/instrument.ts'
import { describeMachine } from '../support/machine-suite.ts'
import { shutdownEvents, shutdownPlan } from './shutdown.events.ts'

describeMachine({
  machine: shutdownMachine,
  types: Object.keys(shutdownEvents),
  views: { whole: { plan: shutdownPlan, states: 13, edges: 42 } },
  goals: { done: (snapshot) => snapshot.value === 'done' },
  mutants: [
    {
      fault: 'a second signal while terminating is not heard',
      plant: (machine) => without(machine, 'shutdown.terminating · shutdown.force · 0'),
      foundBy: 'totality',
    },
    {
      fault: 'killing has no deadline',
      plant: (machine) => without(machine, 'shutdown.killing · after killTimeout · 0'),
      foundBy: 'counts',
    },
    {
      fault: 'every shutdown is forced',
      plant: (machine) => unguarded(machine, 'shutdown.armed · shutdown.begin · 0'),
      foundBy: 'coverage',
    },
  ],
})
