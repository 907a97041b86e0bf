/** The supervisor machine, seen from three sides. Holds G4 (the silent are killed), G5 (a start permit) and G8. */
import { supervisorMachine } from '../../machines/supervisor.machine.ts'
import { unguarded, without } from '../support/instrument.ts'
import { describeMachine } from '../support/machine-suite.ts'
import { supervisorEvents, supervisorPlans } from './supervisor.events.ts'

const { starts, readings, configurations } = supervisorPlans

describeMachine({
  machine: supervisorMachine,
  types: Object.keys(supervisorEvents),
  views: {
    starts: { plan: starts, states: 410, edges: 3865 },
    readings: { plan: readings, states: 324, edges: 4159 },
    configurations: { plan: configurations, states: 480, edges: 5910 },
  },
  goals: {
    rest: ({ value }) => JSON.stringify(value).includes('"memory":"normal","scaling":"steady"'),
  },
  mutants: [
    {
      fault: 'starts are granted without limit',
      plant: (machine) => unguarded(machine, 'supervisor.restarts.closed · start.requested · 0'),
      foundBy: 'violations',
    },
    {
      fault: 'the end of a start lets nobody else start',
      plant: (machine) => without(machine, 'supervisor.restarts.closed · start.ended · 0'),
      foundBy: 'violations',
    },
    {
      fault: 'a launch lets nobody else start',
      plant: (machine) => without(machine, 'supervisor.restarts.closed · start.launched · 0'),
      foundBy: 'violations',
    },
    {
      fault: 'a launch beside an open breaker keeps its leave',
      plant: (machine) => without(machine, 'supervisor.restarts.open · start.launched · 0'),
      foundBy: 'violations',
    },
    {
      fault: 'a worker too large is left alone while another is far too large',
      plant: (machine) => without(machine, 'supervisor.sizes.watching · reading.taken · 0'),
      foundBy: 'violations',
    },
    {
      fault: 'a silent worker is left alone',
      plant: (machine) => without(machine, 'supervisor.vigil.watching · reading.taken · 0'),
      foundBy: 'violations',
    },
    {
      fault: 'the breaker opens at every crash',
      plant: (machine) => unguarded(machine, 'supervisor.restarts.closed · worker.crashed · 0'),
      foundBy: 'counts',
    },
    {
      fault: 'memory leaves the critical band at once',
      plant: (machine) => unguarded(machine, 'supervisor.memory.critical · reading.taken · 0'),
      foundBy: 'counts',
    },
  ],
})
