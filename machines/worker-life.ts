/** The worker's region over the life of the process that serves. */
import { ignore } from './protocol.ts'
import {
  fork,
  openSession,
  runTasks,
  giveUpTimedOut,
  asleep,
  starting,
  serving,
  servingOn,
  succeeding,
  countEnds,
  becomeReady,
  becomeWarm,
  opening,
  standing,
  retire,
} from './worker-answers.ts'
import { endings } from './worker-endings.ts'
import { send } from './worker-messages.ts'

export const life = {
  description: 'The life of the process that serves.',
  initial: 'stopped',
  states: {
    stopped: {
      description: 'Nothing runs here, and nothing is wanted.',
      on: {
        'worker.start': { target: 'starting', actions: 'forgetFailures' },
        'worker.standBy': { target: 'starting', actions: 'forgetFailures' },
        'worker.stop': { actions: send.stopped },
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
          description: 'Asked the supervisor for a start permit.',
          entry: send.startRequested,
          on: {
            'start.granted': { target: 'forking', actions: fork },
            'worker.stop': { target: '#lingering', actions: send.startWithdrawn },
            ...asleep,
            ...ignore('worker.start', 'worker.standBy'),
          },
        },
        forking: {
          description: 'The process is forked and loads the task file.',
          after: {
            startTimeout: {
              target: '#killing',
              actions: ['endStartTimedOut', send.startFailed],
            },
          },
          on: {
            'process.loaded': [
              { guard: 'isOfNewest', target: 'launching', actions: openSession },
              {},
            ],
            ...ignore('session.launched', 'session.ready'),
            ...starting,
          },
        },
        launching: {
          description: 'Its session opens: profile, browser, login.',
          ...opening,
          after: {
            startTimeout: {
              target: '#killing',
              actions: ['endStartTimedOut', send.startFailed],
            },
          },
          on: {
            'session.ready': [
              { guard: 'isNewestToStand', target: '#standby', actions: becomeWarm },
              { guard: 'isOfNewest', target: '#ready', actions: [...becomeReady, send.ready] },
              {},
            ],
            ...ignore('process.loaded'),
            ...starting,
          },
        },
      },
    },
    standby: {
      id: 'standby',
      description: 'Started and warm: serves the moment another is lost or one more is wanted.',
      after: { resetBackoffAfter: { actions: 'forgetFailures' } },
      on: {
        'worker.start': { target: 'ready', actions: [send.opened, send.ready] },
        ...standing,
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
        ...ignore('worker.start', 'worker.standBy', 'start.granted', 'process.loaded'),
        ...ignore('session.launched', 'session.ready'),
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
      initial: 'resting',
      states: {
        resting: {
          description: 'After a failure, the next try waits: nothing is missing meanwhile.',
          always: { guard: 'hasNotFailed', target: 'waiting' },
          after: { restartBackoff: { target: 'waiting' } },
          on: {
            'tasks.ended': countEnds,
            ...servingOn,
            ...ignore('worker.start', 'worker.standBy', 'worker.recycle', 'process.loaded'),
            ...ignore('session.launched', 'session.ready', 'retire.requested', 'start.granted'),
          },
        },
        waiting: {
          description: 'Asked the supervisor for a start permit a successor.',
          entry: send.startRequested,
          on: {
            'start.granted': { target: 'forking', actions: fork },
            'tasks.ended': countEnds,
            ...serving([send.startWithdrawn]),
            ...ignore('worker.start', 'worker.standBy', 'worker.recycle', 'process.loaded'),
            ...ignore('session.launched', 'session.ready', 'retire.requested'),
          },
        },
        forking: {
          description: 'The successor is forked and loads the task file.',
          after: { startTimeout: { target: '#ready', actions: giveUpTimedOut } },
          on: {
            'process.loaded': [
              { guard: 'isOfNewest', target: 'launching', actions: openSession },
              {},
            ],
            ...ignore('session.launched', 'session.ready'),
            ...succeeding,
          },
        },
        launching: {
          description: "The successor's session opens.",
          ...opening,
          after: { startTimeout: { target: '#ready', actions: giveUpTimedOut } },
          on: {
            'session.ready': [
              {
                guard: 'isOfNewest',
                target: '#ready',
                actions: ['retireCurrentGently', send.closed, ...becomeReady],
              },
              {},
            ],
            ...ignore('process.loaded'),
            ...succeeding,
          },
        },
      },
    },
    ...endings,
  },
} as const
