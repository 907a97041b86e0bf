/**
 * What several states of a worker's life answer alike, by what its process is doing: asleep,
 * starting, serving, succeeding the one before, leaving, killed.
 */
import { ignore } from './protocol.ts'
import type { WorkerContext, WorkerEvent } from './worker.setup.ts'
import { current, newest, send } from './worker-messages.ts'

type Args = { context: WorkerContext; event: WorkerEvent }

export const fork = ['countIncarnation', { type: 'process.fork', params: newest }] as const
export const openSession = { type: 'session.open', params: newest } as const
export const runTasks = {
  type: 'process.run',
  params: (args: Args) => ({
    ...current(args),
    tasks: args.event.type === 'tasks.assigned' ? args.event.tasks : [],
  }),
} as const
/** The current process takes no more tasks. */
const closed = [send.closed, send.lost] as const
/** A process that was starting beside the current one is given up. */
const giveUp = ['retireNewest', send.startFailed] as const
const failure = ['countSuccessorFailure', send.startFailed] as const
export const giveUpTimedOut = ['retireTimedOut', ...failure] as const

/** No process of this slot lives, but for one on its way out. */
export const asleep = ignore(
  'process.loaded',
  'session.launched',
  'session.ready',
  'session.failed',
  'process.exited',
  'tasks.assigned',
  'tasks.ended',
  'retire.requested',
  'worker.recycle',
  'worker.kill',
  'worker.terminate',
  'port.failed',
)
/** How a session opens. What follows the launch waits for a site: others may start meanwhile. */
export const opening = {
  initial: 'opening',
  states: {
    opening: {
      description: 'Profile and browser: it holds its a start permit.',
      on: {
        'session.launched': [
          { guard: 'isOfNewest', target: 'authenticating', actions: send.startLaunched },
          {},
        ],
      },
    },
    authenticating: {
      description: 'Its browser runs and logs in; its leave is given back.',
      on: ignore('session.launched'),
    },
  },
} as const
/** A process is starting, and it is the only one. */
export const starting = {
  'session.failed': [
    { guard: 'isOfNewest', target: '#killing', actions: ['endStartFailed', send.startFailed] },
    {},
  ],
  'port.failed': [
    { guard: 'isOfNewest', target: '#killing', actions: ['endPortFailed', send.startFailed] },
    {},
  ],
  'process.exited': [
    {
      guard: 'isOfNewest',
      target: '#backoff',
      actions: ['countFailure', send.currentExited, send.crashed, send.startFailed],
    },
    {},
  ],
  'worker.stop': { target: '#stopping', actions: ['endStopped', send.startFailed] },
  'worker.terminate': { target: '#terminating', actions: ['endStopped', send.startFailed] },
  'worker.kill': [
    { guard: 'killsEnding', target: '#killing', actions: ['endAsOrdered', send.startFailed] },
    {},
  ],
  ...ignore('worker.start', 'worker.standBy', 'worker.recycle', 'tasks.assigned', 'tasks.ended'),
  ...ignore('retire.requested', 'start.granted'),
} as const
/** A task has brought the current process down: the slot is none the worse for it. */
const broughtDown = <const Prior extends readonly unknown[]>(prior: Prior) =>
  ({
    guard: 'hadOneTask',
    target: '#starting',
    actions: [...prior, send.currentExited, send.lost, 'forgetCurrent'],
  }) as const
/** The slot has failed: it waits before it starts again, but for the first time in a while. */
const failedAgain = <const Prior extends readonly unknown[]>(prior: Prior) => {
  const messages = [...prior, 'countFailure', send.currentExited, send.lost, send.crashed] as const
  return [
    { guard: 'isOfCurrent', target: '#backoff', actions: [...messages, 'forgetCurrent'] },
    {},
  ] as const
}
const failed = <const Prior extends readonly unknown[]>(prior: Prior) => {
  const messages = [...prior, 'countFailure', send.currentExited, send.lost, send.crashed] as const
  return [
    {
      guard: 'isFirstLoss',
      target: '#starting',
      actions: [...messages, send.troubled, 'forgetCurrent'],
    },
    ...failedAgain(prior),
  ] as const
}
/** The current process has died by itself. */
const died = <const Prior extends readonly unknown[]>(prior: Prior) =>
  [broughtDown(prior), ...failed(prior)] as const
/** The current process serves. `prior` goes first when something else is under way beside it. */
export const serving = <const Prior extends readonly unknown[]>(prior: Prior) =>
  ({
    'tasks.assigned': [{ guard: 'isOfCurrent', actions: ['countAssigned', runTasks] }, {}],
    'process.exited': died(prior),
    'worker.stop': [
      { guard: 'isIdle', target: '#stopping', actions: [...prior, 'endStopped', ...closed] },
      { target: '#draining', actions: [...prior, 'endStopped', ...closed] },
    ],
    'worker.terminate': {
      target: '#terminating',
      actions: [...prior, 'endStopped', ...closed],
    },
    'worker.kill': [
      { guard: 'killsCurrent', target: '#killing', actions: [...prior, 'endAsOrdered', ...closed] },
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
    'port.failed': [
      { guard: 'isOfCurrent', target: '#killing', actions: [...prior, 'endPortFailed', ...closed] },
      {},
    ],
  }) as const
/** The current process serves while the last successor's failure is waited out. */
export const servingOn = {
  ...serving([]),
  'process.exited': [broughtDown([]), ...failedAgain([])],
} as const
/** The current process stands by: it serves when it is called, and may go as any other. */
export const standing = {
  'process.exited': failed([]),
  'worker.stop': { target: '#stopping', actions: ['endStopped', send.lost] },
  'worker.terminate': { target: '#terminating', actions: ['endStopped', send.lost] },
  'worker.kill': [
    { guard: 'killsCurrent', target: '#killing', actions: ['endAsOrdered', send.lost] },
    {},
  ],
  'session.failed': [
    { guard: 'isOfCurrent', target: '#killing', actions: ['endStartFailed', send.lost] },
    {},
  ],
  'port.failed': [
    { guard: 'isOfCurrent', target: '#killing', actions: ['endPortFailed', send.lost] },
    {},
  ],
  ...ignore('worker.standBy', 'worker.recycle', 'retire.requested', 'start.granted'),
  ...ignore('process.loaded', 'session.launched', 'session.ready'),
  ...ignore('tasks.assigned', 'tasks.ended'),
} as const
/**
 * The next process starts beside the current one, which still serves. Its failure costs no
 * capacity, so it counts against the slot's backoff and not against the breaker.
 */
export const succeeding = {
  ...serving(giveUp),
  'tasks.ended': [{ guard: 'isOfCurrent', actions: 'countEnded' }, {}],
  'session.failed': [
    { guard: 'isOfNewest', target: '#ready', actions: ['retireFailed', ...failure] },
    ...serving(giveUp)['session.failed'],
  ],
  'port.failed': [
    { guard: 'isOfNewest', target: '#ready', actions: ['leavePortFailed', ...failure] },
    ...serving(giveUp)['port.failed'],
  ],
  'worker.kill': [
    { guard: 'isOfNewest', target: '#ready', actions: ['retireAsOrdered', ...failure] },
    ...serving(giveUp)['worker.kill'],
  ],
  'process.exited': [
    { guard: 'isOfNewest', target: '#ready', actions: [send.newestExited, ...failure] },
    ...serving(giveUp)['process.exited'],
  ],
  ...ignore('worker.start', 'worker.standBy', 'worker.recycle', 'start.granted'),
  ...ignore('retire.requested'),
} as const
export const endingIgnores = {
  ...ignore('worker.start', 'worker.standBy', 'worker.stop', 'worker.recycle', 'start.granted'),
  ...ignore(
    'process.loaded',
    'session.launched',
    'session.ready',
    'session.failed',
    'tasks.assigned',
    'retire.requested',
    'port.failed',
  ),
}
const unwantedEnd = {
  guard: 'isUnwantedEnd',
  target: '#lingering',
  actions: [send.currentExited, 'forgetCurrent'],
} as const
export const countEnds = [{ guard: 'isOfCurrent', actions: 'countEnded' }, {}] as const
/**
 * The process goes because it was asked to: its confirmed exit makes room for the next, if one is
 * wanted.
 */
export const leaving = {
  ...endingIgnores,
  'process.exited': [
    unwantedEnd,
    {
      guard: 'isOfEnding',
      target: '#starting',
      actions: [send.currentExited, 'forgetCurrent', 'forgetFailures'],
    },
    {},
  ],
} as const
/**
 * The process is killed, for whatever reason: its confirmed exit and the reason decide what comes
 * next.
 */
export const killed = {
  ...endingIgnores,
  'process.exited': [
    unwantedEnd,
    { guard: 'isPermanentEnd', target: '#failed', actions: [send.currentExited, 'forgetCurrent'] },
    {
      guard: 'isPlannedEnd',
      target: '#starting',
      actions: [send.currentExited, 'forgetCurrent', 'forgetFailures'],
    },
    {
      guard: 'isKilledForItsTask',
      target: '#starting',
      actions: [send.currentExited, 'forgetCurrent'],
    },
    {
      guard: 'isFirstLoss',
      target: '#starting',
      actions: ['countFailure', send.currentExited, send.crashed, send.troubled, 'forgetCurrent'],
    },
    {
      guard: 'isOfEnding',
      target: '#backoff',
      actions: ['countFailure', send.currentExited, send.crashed, 'forgetCurrent'],
    },
    {},
  ],
  'tasks.ended': countEnds,
} as const
export const becomeReady = ['takeNewest', send.opened, send.startEnded] as const
/** Nobody but the pool hears of it: no task is for it yet. */
export const becomeWarm = ['takeNewest', send.startEnded, send.warmed] as const
export const retire = [
  { guard: 'isIdle', target: '#stopping', actions: ['endRecycled', ...closed] },
  { target: '#draining', actions: ['endRecycled', ...closed] },
] as const
