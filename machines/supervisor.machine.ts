/**
 * What watches over the workers: a start permit, the breaker over restarts, memory, load and
 * silence. It never touches a process: it tells workers, the ledger and the pool what they should
 * do.
 */
import { setup } from 'xstate'
import { port } from './port.ts'
import {
  supervisorDelays,
  type SupervisorContext,
  type SupervisorEvent,
  supervisorGuards,
  type SupervisorPolicy,
  supervisorUpdates,
} from './supervisor.setup.ts'
import { disk, health, memory, readings, scaling, sizes, vigil } from './supervisor-readings.ts'
import { restarts } from './supervisor-starts.ts'
import type {
  ProcessesKilled,
  SupervisorToLedger,
  SupervisorToPool,
  WorkersSend,
} from './supervisor-messages.ts'

export const supervisorMachine = setup({
  types: {
    context: {} as SupervisorContext,
    events: {} as SupervisorEvent,
    input: {} as { policy: SupervisorPolicy },
  },
  guards: supervisorGuards,
  delays: supervisorDelays,
  actions: {
    ...supervisorUpdates,
    'workers.send': port<WorkersSend>('workers.send'),
    'processes.kill': port<ProcessesKilled>('processes.kill'),
    'ledger.send': port<SupervisorToLedger>('ledger.send'),
    'pool.send': port<SupervisorToPool>('pool.send'),
    'event.unexpected': port('event.unexpected'),
  },
}).createMachine({
  id: 'supervisor',
  description: 'Watches over the workers: starts, restarts, memory, load, silence.',
  type: 'parallel',
  context: ({ input }) => ({
    policy: input.policy,
    size: 0,
    waiting: [],
    starting: [],
    launched: [],
    crashesMs: [],
    bandSinceMs: 0,
    lowSinceMs: null,
  }),
  on: { '*': { actions: 'event.unexpected' } },
  states: {
    restarts,
    memory,
    scaling,
    vigil,
    sizes,
    disk,
    readings,
    health,
  },
})
