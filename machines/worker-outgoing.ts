/** The worker's region over the process on its way out, beside the one that serves. */
import { ignore } from './protocol.ts'
import { outgoing, send } from './worker-messages.ts'

/** The process on its way out is gone for good. */
const outgoingGone = (messages: typeof send.outgoingExited) =>
  ({
    'process.exited': [
      { guard: 'isOfOutgoing', target: 'none', actions: [messages, 'forgetOutgoing'] },
      {},
    ],
    'worker.kill': [
      { guard: 'killsOutgoing', target: 'killing', actions: 'noteOutgoingKilled' },
      {},
    ],
    'worker.terminate': { target: 'killing' },
    'port.failed': [{ guard: 'isOfOutgoing', target: 'killing' }, {}],
    'tasks.ended': [{ guard: 'isOfOutgoing', actions: 'countOutgoingEnded' }, {}],
    ...ignore('worker.start', 'worker.standBy', 'worker.stop', 'worker.recycle', 'start.granted'),
    ...ignore('tasks.assigned'),
    ...ignore('process.loaded', 'session.launched', 'session.ready', 'session.failed'),
    ...ignore('retire.requested', 'process.outgoing'),
  }) as const

export const leaving = {
  description: 'The process on its way out, beside the one that serves.',
  initial: 'none',
  states: {
    none: {
      description: 'There is none.',
      on: {
        'process.outgoing': [
          { guard: 'retiresBusy', target: 'draining', actions: 'noteOutgoing' },
          { guard: 'retiresIdle', target: 'closing', actions: 'noteOutgoing' },
          { target: 'killing', actions: 'noteOutgoing' },
        ],
      },
    },
    draining: {
      description: 'Its tasks run to their end.',
      on: {
        ...outgoingGone(send.outgoingCrashed),
        'tasks.ended': [
          { guard: 'isLastOfOutgoing', target: 'closing', actions: 'countOutgoingEnded' },
          { guard: 'isOfOutgoing', actions: 'countOutgoingEnded' },
          {},
        ],
      },
    },
    closing: {
      description: 'Asked to close its session and exit.',
      entry: { type: 'process.close', params: outgoing },
      after: { closeTimeout: { target: 'killing' } },
      on: { ...outgoingGone(send.outgoingExited), ...ignore('tasks.ended') },
    },
    killing: {
      description: 'Its process group is sent SIGKILL until it is gone.',
      entry: { type: 'process.kill', params: outgoing },
      after: { killTimeout: { target: 'killing', reenter: true } },
      on: {
        ...outgoingGone(send.outgoingExited),
        ...ignore('worker.kill', 'worker.terminate', 'port.failed'),
      },
    },
  },
} as const
