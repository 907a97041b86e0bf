/** The worker machine, explored whole. Holds G4 (it touches its own slot only), G5 (it can get ready again) and G8. */
import type { AnyMachineSnapshot } from 'xstate'
import { workerMachine } from '../../machines/worker.machine.ts'
import { unguarded, without } from '../support/instrument.ts'
import { describeMachine } from '../support/machine-suite.ts'
import { workerEvents, workerPlan } from './worker.events.ts'

const isLife = (life: string) => (snapshot: AnyMachineSnapshot) =>
  Object.hasOwn(snapshot.value as object, 'life') && snapshot.matches({ life })

describeMachine({
  machine: workerMachine,
  types: Object.keys(workerEvents),
  inner: ['process.outgoing'],
  views: { whole: { plan: workerPlan, states: 7057, edges: 60609 } },
  goals: { stopped: isLife('stopped'), ready: isLife('ready') },
  mutants: [
    {
      fault: 'an exit while launching is not heard',
      plant: (machine) => without(machine, 'worker.life.starting.launching · process.exited · 0'),
      foundBy: 'violations',
    },
    {
      fault: 'the exit of any process ends the killing',
      plant: (machine) => unguarded(machine, 'killing · process.exited · 4'),
      foundBy: 'violations',
    },
    {
      fault: 'a second successor may start while a process is on its way out',
      plant: (machine) => unguarded(machine, 'ready · worker.recycle · 0'),
      foundBy: 'violations',
    },
    {
      fault: 'the launch of any process gives leave back',
      plant: (machine) =>
        unguarded(machine, 'worker.life.starting.launching.opening · session.launched · 0'),
      foundBy: 'violations',
    },
    {
      fault: 'a stale order runs',
      plant: (machine) => unguarded(machine, 'ready · tasks.assigned · 0'),
      foundBy: 'violations',
    },
    {
      fault: 'a successor that hangs is left alone',
      plant: (machine) => without(machine, 'worker.life.recycling.launching · worker.kill · 0'),
      foundBy: 'violations',
    },
    {
      fault: 'nobody hears how a successor ended',
      plant: (machine) => without(machine, 'worker.life.recycling.forking · process.exited · 0'),
      foundBy: 'violations',
    },
    {
      fault: 'who stands by cannot be killed',
      plant: (machine) => without(machine, 'standby · worker.kill · 0'),
      foundBy: 'violations',
    },
    {
      fault: 'a slot is charged with what its task has done',
      plant: (machine) => without(machine, 'ready · process.exited · 0'),
      foundBy: 'violations',
    },
    {
      fault: 'a slot is charged with a hang of its task',
      plant: (machine) => without(machine, 'killing · process.exited · 3'),
      foundBy: 'violations',
    },
    {
      fault: 'draining no longer ignores a late grant',
      plant: (machine) => without(machine, 'draining · start.granted · 0'),
      foundBy: 'totality',
    },
  ],
})
