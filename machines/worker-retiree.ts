/** The worker's region over the process on its way out, beside the one that serves. */
import { ignore } from './vocabulary.ts'
import { retiree, tell } from './worker-words.ts'

/** The process on its way out is gone for good. */
const retireeGone = (words: typeof tell.retireeExited) =>
  ({
    'process.exited': [
      { guard: 'isOfRetiree', target: 'none', actions: [words, 'forgetRetiree'] },
      {},
    ],
    'worker.kill': [{ guard: 'killsRetiree', target: 'killing', actions: 'noteRetireeKilled' }, {}],
    'worker.terminate': { target: 'killing' },
    'port.failed': [{ guard: 'isOfRetiree', target: 'killing' }, {}],
    'tasks.ended': [{ guard: 'isOfRetiree', actions: 'countRetireeEnded' }, {}],
    ...ignore('worker.start', 'worker.stand', 'worker.stop', 'worker.recycle', 'start.granted'),
    ...ignore('tasks.assigned'),
    ...ignore('process.loaded', 'session.launched', 'session.ready', 'session.failed'),
    ...ignore('retire.requested', 'process.left'),
  }) as const

export const leaving = {
  description: 'The process on its way out, beside the one that serves.',
  initial: 'none',
  states: {
    none: {
      description: 'There is none.',
      on: {
        'process.left': [
          { guard: 'leavesBusy', target: 'draining', actions: 'noteLeft' },
          { guard: 'leavesIdle', target: 'closing', actions: 'noteLeft' },
          { target: 'killing', actions: 'noteLeft' },
        ],
      },
    },
    draining: {
      description: 'Its tasks run to their end.',
      on: {
        ...retireeGone(tell.retireeCrashed),
        'tasks.ended': [
          { guard: 'isLastOfRetiree', target: 'closing', actions: 'countRetireeEnded' },
          { guard: 'isOfRetiree', actions: 'countRetireeEnded' },
          {},
        ],
      },
    },
    closing: {
      description: 'Asked to close its session and exit.',
      entry: { type: 'process.close', params: retiree },
      after: { closeTimeout: { target: 'killing' } },
      on: { ...retireeGone(tell.retireeExited), ...ignore('tasks.ended') },
    },
    killing: {
      description: 'Its process group is sent SIGKILL until it is gone.',
      entry: { type: 'process.kill', params: retiree },
      after: { killTimeout: { target: 'killing', reenter: true } },
      on: {
        ...retireeGone(tell.retireeExited),
        ...ignore('worker.kill', 'worker.terminate', 'port.failed'),
      },
    },
  },
} as const
