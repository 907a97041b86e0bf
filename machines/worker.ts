/**
 * One slot and its child process. Three regions: what the slot is wanted for, the life of its current process, and
 * the process on its way out, if any. Capacity never lies: a slot in backoff is still a slot.
 */
import { setup } from 'xstate'
import { port } from './port.ts'
import { type Assignment, ignore, type SlotId } from './vocabulary.ts'
import {
  type WorkerContext,
  workerDelays,
  type WorkerEvent,
  workerGuards,
  type WorkerPolicy,
  workerUpdates,
} from './worker-facts.ts'
import {
  current,
  newest,
  type ProcessId,
  retiree,
  tell,
  type WorkerToLedger,
  type WorkerToPool,
  type WorkerToSupervisor,
} from './worker-words.ts'

type Args = { context: WorkerContext; event: WorkerEvent }

const fork = ['countIncarnation', { type: 'process.fork', params: newest }] as const
const openSession = { type: 'session.open', params: newest } as const
const runTasks = {
  type: 'process.run',
  params: (args: Args) => ({
    ...current(args),
    tasks: args.event.type === 'tasks.assigned' ? args.event.tasks : [],
  }),
} as const
/** The current process takes no more tasks. */
const closed = [tell.closed, tell.lost] as const
/** A process that was starting beside the current one is given up. */
const giveUp = ['leaveNewest', tell.startFailed] as const

/** No process of this slot lives, but for one on its way out. */
const asleep = ignore(
  'process.loaded',
  'session.ready',
  'session.failed',
  'process.exited',
  'tasks.assigned',
  'tasks.ended',
  'retire.requested',
  'worker.recycle',
  'worker.kill',
  'worker.terminate',
)
/** A process is starting, and it is the only one. */
const starting = {
  'session.failed': [
    { guard: 'isOfNewest', target: '#killing', actions: ['endStartFailed', tell.startFailed] },
    {},
  ],
  'process.exited': [
    {
      guard: 'isOfNewest',
      target: '#backoff',
      actions: ['countFailure', tell.currentExited, tell.crashed, tell.startFailed],
    },
    {},
  ],
  'worker.stop': { target: '#stopping', actions: ['endStopped', tell.startFailed] },
  'worker.terminate': { target: '#terminating', actions: ['endStopped', tell.startFailed] },
  'worker.kill': [
    { guard: 'killsEnding', target: '#killing', actions: ['endAsTold', tell.startFailed] },
    {},
  ],
  ...ignore('worker.start', 'worker.recycle', 'tasks.assigned', 'tasks.ended'),
  ...ignore('retire.requested', 'start.granted'),
} as const
/** The current process serves. `prior` goes first when something else is under way beside it. */
const serving = <const Prior extends readonly unknown[]>(prior: Prior) =>
  ({
    'tasks.assigned': [{ guard: 'isOfCurrent', actions: ['countAssigned', runTasks] }, {}],
    'process.exited': [
      {
        guard: 'isOfCurrent',
        target: '#backoff',
        actions: [
          ...prior,
          'countFailure',
          tell.currentExited,
          tell.lost,
          tell.crashed,
          'forgetCurrent',
        ],
      },
      {},
    ],
    'worker.stop': [
      { guard: 'isIdle', target: '#stopping', actions: [...prior, 'endStopped', ...closed] },
      { target: '#draining', actions: [...prior, 'endStopped', ...closed] },
    ],
    'worker.terminate': {
      target: '#terminating',
      actions: [...prior, 'endStopped', ...closed],
    },
    'worker.kill': [
      { guard: 'killsCurrent', target: '#killing', actions: [...prior, 'endAsTold', ...closed] },
      {},
    ],
    'session.failed': [
      {
        guard: 'isOfCurrent',
        target: '#killing',
        actions: [...prior, 'endStartFailed', ...closed],
      },
      {},
    ],
  }) as const
/** The next process starts beside the current one, which still serves. */
const succeeding = {
  ...serving(giveUp),
  'tasks.ended': [{ guard: 'isOfCurrent', actions: 'countEnded' }, {}],
  'session.failed': [
    { guard: 'isOfNewest', target: '#ready', actions: giveUp },
    ...serving(giveUp)['session.failed'],
  ],
  'process.exited': [
    { guard: 'isOfNewest', target: '#ready', actions: [tell.crashed, tell.startFailed] },
    ...serving(giveUp)['process.exited'],
  ],
  ...ignore('worker.start', 'worker.recycle', 'start.granted', 'retire.requested'),
} as const
const endingIgnores = {
  ...ignore('worker.start', 'worker.stop', 'worker.recycle', 'start.granted', 'process.loaded'),
  ...ignore('session.ready', 'session.failed', 'tasks.assigned', 'retire.requested'),
}
const unwantedEnd = {
  guard: 'isUnwantedEnd',
  target: '#lingering',
  actions: [tell.currentExited, 'forgetCurrent'],
} as const
const countEnds = [{ guard: 'isOfCurrent', actions: 'countEnded' }, {}] as const
/** The process goes because it was asked to: its confirmed exit makes room for the next, if one is wanted. */
const leaving = {
  ...endingIgnores,
  'process.exited': [
    unwantedEnd,
    {
      guard: 'isOfEnding',
      target: '#starting',
      actions: [tell.currentExited, 'forgetCurrent', 'forgetFailures'],
    },
    {},
  ],
} as const
/** The process is killed, for whatever reason: its confirmed exit and the reason decide what comes next. */
const killed = {
  ...endingIgnores,
  'process.exited': [
    unwantedEnd,
    { guard: 'isPermanentEnd', target: '#failed', actions: [tell.currentExited, 'forgetCurrent'] },
    {
      guard: 'isPlannedEnd',
      target: '#starting',
      actions: [tell.currentExited, 'forgetCurrent', 'forgetFailures'],
    },
    {
      guard: 'isOfEnding',
      target: '#backoff',
      actions: ['countFailure', tell.currentExited, tell.crashed, 'forgetCurrent'],
    },
    {},
  ],
  'tasks.ended': countEnds,
} as const
const becomeReady = ['takeNewest', tell.opened, tell.startEnded] as const
const retire = [
  { guard: 'isIdle', target: '#stopping', actions: ['endRecycled', ...closed] },
  { target: '#draining', actions: ['endRecycled', ...closed] },
] as const
/** The process on its way out is gone for good. */
const retireeGone = (words: typeof tell.retireeExited) =>
  ({
    'process.exited': [
      { guard: 'isOfRetiree', target: 'none', actions: [words, 'forgetRetiree'] },
      {},
    ],
    'worker.kill': [
      { guard: 'killsRetiree', target: 'killing', actions: 'noteRetireeKilled' },
      {},
    ],
    'worker.terminate': { target: 'killing' },
    'tasks.ended': [{ guard: 'isOfRetiree', actions: 'countRetireeEnded' }, {}],
    ...ignore('worker.start', 'worker.stop', 'worker.recycle', 'start.granted', 'tasks.assigned'),
    ...ignore('process.loaded', 'session.ready', 'session.failed', 'retire.requested'),
    ...ignore('process.left'),
  }) as const

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
  description: 'One slot: a place for a child process, which comes back for as long as it is wanted.',
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
          on: { 'worker.start': 'running' },
        },
        running: {
          description: 'A serving process is wanted here.',
          on: { 'worker.stop': 'stopped' },
        },
      },
    },
    life: {
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
            maxAge: [{ guard: 'isAlone', target: 'recycling' }, { target: 'ready', reenter: true }],
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
            'worker.kill': [
              { guard: 'killsEnding', target: 'killing', actions: 'endAsTold' },
              {},
            ],
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
    },
    retiree: {
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
            ...ignore('worker.kill', 'worker.terminate'),
          },
        },
      },
    },
  },
})
