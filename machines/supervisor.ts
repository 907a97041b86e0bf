/**
 * What watches over the workers: leave to start, the breaker over restarts, memory, load and
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
} from './supervisor-facts.ts'
import { disk, health, memory, readings, scaling, sizes, vigil } from './supervisor-readings.ts'
import { restarts } from './supervisor-starts.ts'
import type {
  ProcessesKilled,
  SupervisorToLedger,
  SupervisorToPool,
  WorkersTold,
} from './supervisor-words.ts'

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
    'workers.tell': port<WorkersTold>('workers.tell'),
    'processes.kill': port<ProcessesKilled>('processes.kill'),
    'ledger.tell': port<SupervisorToLedger>('ledger.tell'),
    'pool.tell': port<SupervisorToPool>('pool.tell'),
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
