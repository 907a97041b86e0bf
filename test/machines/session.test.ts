/** The session machine, explored whole. Holds G8, and that no browser is left beside another. */
import { sessionMachine } from '../../machines/session.machine.ts'
import { unguarded, without } from '../support/instrument.ts'
import { describeMachine } from '../support/machine-suite.ts'
import { sessionEvents, sessionPlan } from './session.events.ts'

describeMachine({
  machine: sessionMachine,
  types: Object.keys(sessionEvents),
  views: { whole: { plan: sessionPlan, states: 155, edges: 507 } },
  goals: {
    closed: (snapshot) => snapshot.value === 'closed',
    ready: (snapshot) => snapshot.value === 'ready',
  },
  mutants: [
    {
      fault: 'a hung browser is not killed before the next is launched',
      plant: (machine) => without(machine, 'session.relaunching · browser.hung · 0'),
      foundBy: 'totality',
    },
    {
      fault: 'a login fails for ever',
      plant: (machine) => unguarded(machine, 'session.authenticating · login.failed · 0'),
      foundBy: 'endlessness',
    },
    {
      fault: 'a session is reported ready again after each login',
      plant: (machine) =>
        without(
          without(machine, 'session.authenticating · login.succeeded · 1'),
          'session.authenticating · login.succeeded · 0',
        ),
      foundBy: 'violations',
    },
  ],
})
