/**
 * How the process that serves comes to its end, and what its slot does without one: draining,
 * stopping, killing, waiting to start again, or not starting any more.
 */
import { asleep, countEnds, endingIgnores, killed, leaving } from './worker-answers.ts'
import { current, send } from './worker-messages.ts'
import { ignore } from './protocol.ts'

export const endings = {
  draining: {
    id: 'draining',
    description: 'Takes no more tasks; those it has run to their end.',
    on: {
      ...endingIgnores,
      'process.exited': [
        {
          guard: 'hadOneTaskAndIsUnwanted',
          target: 'lingering',
          actions: [send.currentCrashed, 'forgetCurrent'],
        },
        {
          guard: 'isUnwantedEnd',
          target: 'lingering',
          actions: [send.currentCrashed, send.crashed, 'forgetCurrent'],
        },
        {
          guard: 'hadOneTask',
          target: 'starting',
          actions: [send.currentCrashed, 'forgetCurrent'],
        },
        {
          guard: 'isOfEnding',
          target: 'backoff',
          actions: ['countFailure', send.currentCrashed, send.crashed, 'forgetCurrent'],
        },
        {},
      ],
      'tasks.ended': [
        { guard: 'isLastOfCurrent', target: 'stopping', actions: 'countEnded' },
        { guard: 'isOfCurrent', actions: 'countEnded' },
        {},
      ],
      'worker.terminate': { target: 'terminating' },
      'worker.kill': [{ guard: 'killsEnding', target: 'killing', actions: 'endAsOrdered' }, {}],
      'port.failed': [{ guard: 'isOfEnding', target: 'killing', actions: 'endPortFailed' }, {}],
    },
  },
  stopping: {
    id: 'stopping',
    description: 'Asked to close its session and exit.',
    entry: { type: 'process.close', params: current },
    after: { closeTimeout: { target: 'terminating' } },
    on: {
      ...leaving,
      ...ignore('tasks.ended'),
      'worker.terminate': { target: 'terminating' },
      'worker.kill': [{ guard: 'killsEnding', target: 'killing' }, {}],
      'port.failed': [{ guard: 'isOfEnding', target: 'killing' }, {}],
    },
  },
  terminating: {
    id: 'terminating',
    description: 'Sent SIGTERM.',
    entry: { type: 'process.terminate', params: current },
    after: { terminateTimeout: { target: 'killing' } },
    on: {
      ...leaving,
      'tasks.ended': countEnds,
      'worker.kill': [{ guard: 'killsEnding', target: 'killing' }, {}],
      'port.failed': [{ guard: 'isOfEnding', target: 'killing' }, {}],
      ...ignore('worker.terminate'),
    },
  },
  killing: {
    id: 'killing',
    description: 'Its process group is sent SIGKILL, again and again until it is gone.',
    entry: { type: 'process.kill', params: current },
    after: { killTimeout: { target: 'killing', reenter: true } },
    on: {
      ...killed,
      ...ignore('worker.terminate', 'worker.kill'),
    },
  },
  backoff: {
    id: 'backoff',
    description: 'Its process failed; waits before the next start.',
    entry: send.troubled,
    after: { restartBackoff: { target: 'starting' } },
    on: {
      'worker.stop': { target: 'lingering' },
      ...asleep,
      ...ignore('worker.start', 'worker.standBy', 'start.granted'),
    },
  },
  failed: {
    id: 'failed',
    description: 'Cannot start: another try would fail the same way.',
    entry: send.failed,
    on: {
      'worker.start': { target: 'starting', actions: 'forgetFailures' },
      'worker.stop': { target: 'lingering' },
      ...asleep,
      ...ignore('worker.standBy', 'start.granted'),
    },
  },
  lingering: {
    id: 'lingering',
    description: 'Unwanted and without a process, but the one on its way out is not gone yet.',
    always: { guard: 'isAlone', target: 'stopped', actions: send.stopped },
    on: {
      'worker.start': { target: 'starting', actions: 'forgetFailures' },
      'worker.standBy': { target: 'starting', actions: 'forgetFailures' },
      ...asleep,
      ...ignore('worker.stop', 'start.granted'),
    },
  },
} as const
