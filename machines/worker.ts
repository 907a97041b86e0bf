/**
 * One slot and its child process. Three regions: what the slot is wanted for, the life of its
 * current process, and the process on its way out, if any. Capacity never lies: a slot in backoff
 * is still a slot.
 */
import { setup } from 'xstate'
import { port } from './port.ts'
import type { Assignment, SlotId } from './vocabulary.ts'
import {
  type WorkerContext,
  workerDelays,
  type WorkerEvent,
  workerGuards,
  type WorkerPolicy,
  workerUpdates,
} from './worker-facts.ts'
import { life } from './worker-life.ts'
import { leaving } from './worker-retiree.ts'
import type { ProcessId, WorkerToLedger, WorkerToPool, WorkerToSupervisor } from './worker-words.ts'

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
    'ledger.tell': port<WorkerToLedger>('ledger.tell'),
    'pool.tell': port<WorkerToPool>('pool.tell'),
    'supervisor.tell': port<WorkerToSupervisor>('supervisor.tell'),
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
    retiree: null,
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
          on: { 'worker.start': 'running', 'worker.stand': 'standing' },
        },
        running: {
          description: 'A serving process is wanted here.',
          on: {
            'worker.stop': 'stopped',
            'worker.stand': [{ guard: 'isNotServing', target: 'standing' }, {}],
          },
        },
        standing: {
          description: 'A started process is wanted here that serves only when it is called.',
          on: { 'worker.stop': 'stopped', 'worker.start': 'running' },
        },
      },
    },
    life,
    retiree: leaving,
  },
})
