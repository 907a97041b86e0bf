/**
 * One slot and its child process. Three regions: what the slot is wanted for, the life of its
 * current process, and the process on its way out, if any. Capacity never lies: a slot in backoff
 * is still a slot.
 */
import { setup } from 'xstate'
import { port } from './port.ts'
import type { Assignment, SlotId } from './protocol.ts'
import {
  type WorkerContext,
  workerDelays,
  type WorkerEvent,
  workerGuards,
  type WorkerPolicy,
  workerUpdates,
} from './worker.setup.ts'
import { life } from './worker-life.ts'
import { leaving } from './worker-outgoing.ts'
import type {
  ProcessId,
  WorkerToLedger,
  WorkerToPool,
  WorkerToSupervisor,
} from './worker-messages.ts'

export const workerMachine = setup({
  types: {
    context: {} as WorkerContext,
    events: {} as WorkerEvent,
    input: {} as { slot: SlotId; policy: WorkerPolicy },
  },
  guards: workerGuards,
  delays: workerDelays,
  actions: {
    ...workerUpdates,
    'process.fork': port<ProcessId>('process.fork'),
    'session.open': port<ProcessId>('session.open'),
    'process.run': port<ProcessId & { tasks: readonly Assignment[] }>('process.run'),
    'process.close': port<ProcessId>('process.close'),
    'process.terminate': port<ProcessId>('process.terminate'),
    'process.kill': port<ProcessId>('process.kill'),
    'ledger.send': port<WorkerToLedger>('ledger.send'),
    'pool.send': port<WorkerToPool>('pool.send'),
    'supervisor.send': port<WorkerToSupervisor>('supervisor.send'),
    'event.unexpected': port('event.unexpected'),
  },
}).createMachine({
  id: 'worker',
  description:
    'One slot: a place for a child process, which comes back for as long as it is wanted.',
  type: 'parallel',
  context: ({ input }) => ({
    slot: input.slot,
    policy: input.policy,
    incarnation: 0,
    current: null,
    outgoing: null,
    failures: 0,
    random: 0.5,
    ending: null,
  }),
  on: { '*': { actions: 'event.unexpected' } },
  states: {
    wanted: {
      description: 'What the pool wants of this slot.',
      initial: 'stopped',
      states: {
        stopped: {
          description: 'No process is wanted here.',
          on: { 'worker.start': 'running', 'worker.standBy': 'standing' },
        },
        running: {
          description: 'A serving process is wanted here.',
          on: {
            'worker.stop': 'stopped',
            'worker.standBy': [{ guard: 'isNotServing', target: 'standing' }, {}],
          },
        },
        standing: {
          description: 'A started process is wanted here that serves only when it is called.',
          on: { 'worker.stop': 'stopped', 'worker.start': 'running' },
        },
      },
    },
    life,
    outgoing: leaving,
  },
})
