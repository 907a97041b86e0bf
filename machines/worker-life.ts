/** The worker's region over the life of the process that serves. */
import { ignore } from './vocabulary.ts'
import {
  fork,
  openSession,
  runTasks,
  giveUp,
  asleep,
  starting,
  serving,
  succeeding,
  endingIgnores,
  countEnds,
  leaving,
  killed,
  becomeReady,
  retire,
} from './worker-answers.ts'
import { current, tell } from './worker-words.ts'

export const life = {
  description: 'The life of the process that serves.',
  initial: 'stopped',
  states: {
    stopped: {
      description: 'Nothing runs here, and nothing is wanted.',
      on: {
        'worker.start': { target: 'starting', actions: 'forgetFailures' },
        'worker.stop': { actions: tell.stopped },
        ...asleep,
        ...ignore('start.granted'),
      },
    },
    starting: {
      id: 'starting',
      description: 'On its way to a serving process.',
      initial: 'waiting',
      states: {
        waiting: {
          description: 'Asked the supervisor for leave to start.',
          entry: tell.startRequested,
          on: {
            'start.granted': { target: 'forking', actions: fork },
            'worker.stop': { target: '#lingering', actions: tell.startWithdrawn },
            ...asleep,
            ...ignore('worker.start'),
          },
        },
        forking: {
          description: 'The process is forked and loads the task file.',
          after: {
            startTimeout: {
              target: '#killing',
              actions: ['endStartTimedOut', tell.startFailed],
            },
          },
          on: {
            'process.loaded': [
              { guard: 'isOfNewest', target: 'launching', actions: openSession },
              {},
            ],
            ...ignore('session.ready'),
            ...starting,
          },
        },
        launching: {
          description: 'Its session opens: profile, browser, login.',
          after: {
            startTimeout: {
              target: '#killing',
              actions: ['endStartTimedOut', tell.startFailed],
            },
          },
          on: {
            'session.ready': [
              { guard: 'isOfNewest', target: '#ready', actions: [...becomeReady, tell.ready] },
              {},
            ],
            ...ignore('process.loaded'),
            ...starting,
          },
        },
      },
    },
    ready: {
      id: 'ready',
      description: 'Serves tasks.',
      initial: 'resuming',
      after: {
        resetBackoffAfter: { actions: 'forgetFailures' },
        maxAge: [
          { guard: 'isAlone', target: 'recycling' },
          { target: 'ready', reenter: true },
        ],
      },
      on: {
        ...serving([]),
        'worker.recycle': [{ guard: 'isReplacing', target: 'recycling' }, ...retire],
        'retire.requested': [{ guard: 'isOfCurrentAndMayRecycle', target: 'recycling' }, {}],
        ...ignore('worker.start', 'start.granted', 'process.loaded', 'session.ready'),
      },
      states: {
        resuming: {
          description: 'Looks whether it has tasks.',
          always: [{ guard: 'isIdle', target: 'idle' }, { target: 'busy' }],
        },
        idle: {
          description: 'Has no task.',
          on: {
            'tasks.assigned': [
              {
                guard: 'isOfCurrent',
                target: 'busy',
                actions: ['countAssigned', runTasks],
              },
              {},
            ],
            ...ignore('tasks.ended'),
          },
        },
        busy: {
          description: 'Has at least one task.',
          on: {
            'tasks.ended': [
              {
                guard: 'isDueAndMayRecycle',
                target: '#recycling',
                actions: 'countEnded',
              },
              { guard: 'isLastOfCurrent', target: 'idle', actions: 'countEnded' },
              { guard: 'isOfCurrent', actions: 'countEnded' },
              {},
            ],
          },
        },
      },
    },
    recycling: {
      id: 'recycling',
      description: 'Still serves, while the process that will replace it starts.',
      initial: 'waiting',
      states: {
        waiting: {
          description: 'Asked the supervisor for leave to start a successor.',
          entry: tell.startRequested,
          on: {
            'start.granted': { target: 'forking', actions: fork },
            'tasks.ended': [{ guard: 'isOfCurrent', actions: 'countEnded' }, {}],
            ...serving([tell.startWithdrawn]),
            ...ignore('worker.start', 'worker.recycle', 'process.loaded', 'session.ready'),
            ...ignore('retire.requested'),
          },
        },
        forking: {
          description: 'The successor is forked and loads the task file.',
          after: { startTimeout: { target: '#ready', actions: giveUp } },
          on: {
            'process.loaded': [
              { guard: 'isOfNewest', target: 'launching', actions: openSession },
              {},
            ],
            ...ignore('session.ready'),
            ...succeeding,
          },
        },
        launching: {
          description: "The successor's session opens.",
          after: { startTimeout: { target: '#ready', actions: giveUp } },
          on: {
            'session.ready': [
              {
                guard: 'isOfNewest',
                target: '#ready',
                actions: ['leaveCurrentGently', tell.closed, ...becomeReady],
              },
              {},
            ],
            ...ignore('process.loaded'),
            ...succeeding,
          },
        },
      },
    },
    draining: {
      id: 'draining',
      description: 'Takes no more tasks; those it has run to their end.',
      on: {
        ...endingIgnores,
        'process.exited': [
          {
            guard: 'isUnwantedEnd',
            target: 'lingering',
            actions: [tell.currentCrashed, tell.crashed, 'forgetCurrent'],
          },
          {
            guard: 'isOfEnding',
            target: 'backoff',
            actions: ['countFailure', tell.currentCrashed, tell.crashed, 'forgetCurrent'],
          },
          {},
        ],
        'tasks.ended': [
          { guard: 'isLastOfCurrent', target: 'stopping', actions: 'countEnded' },
          { guard: 'isOfCurrent', actions: 'countEnded' },
          {},
        ],
        'worker.terminate': { target: 'terminating' },
        'worker.kill': [{ guard: 'killsEnding', target: 'killing', actions: 'endAsTold' }, {}],
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
      entry: tell.troubled,
      after: { restartBackoff: { target: 'starting' } },
      on: {
        'worker.stop': { target: 'lingering' },
        ...asleep,
        ...ignore('worker.start', 'start.granted'),
      },
    },
    failed: {
      id: 'failed',
      description: 'Cannot start: another try would fail the same way.',
      entry: tell.failed,
      on: {
        'worker.start': { target: 'starting', actions: 'forgetFailures' },
        'worker.stop': { target: 'lingering' },
        ...asleep,
        ...ignore('start.granted'),
      },
    },
    lingering: {
      id: 'lingering',
      description: 'Unwanted and without a process, but the one on its way out is not gone yet.',
      always: { guard: 'isAlone', target: 'stopped', actions: tell.stopped },
      on: {
        'worker.start': { target: 'starting', actions: 'forgetFailures' },
        ...asleep,
        ...ignore('worker.stop', 'start.granted'),
      },
    },
  },
} as const
