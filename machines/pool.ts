/**
 * The pool: six states and exactly the ways between them. It owns no process and no task: it tells
 * the workers, the ledger, the supervisor and the shutdown what the pool's state means for them.
 */
import { setup } from 'xstate'
import {
  type PoolContext,
  type PoolEvent,
  poolGuards,
  type PoolToLedger,
  type PoolToSupervisor,
  poolUpdates,
} from './pool-facts.ts'
import {
  beginShutdown,
  drainIntake,
  failTasks,
  forceShutdown,
  free,
  hold,
  killAll,
  openIntake,
  resupervise,
  standDown,
  startWanted,
  stopAll,
  stopUnwanted,
  supervise,
  terminateAll,
  unsupervise,
  workersGone,
} from './pool-words.ts'
import { port } from './port.ts'
import type { ShutdownEvent } from './shutdown.ts'
import type { WorkersTold } from './supervisor-words.ts'
import { ignore } from './vocabulary.ts'

const rescale = ['resize', 'noteAlive', resupervise, startWanted, stopUnwanted] as const
const scale = { 'pool.scale': { actions: rescale } } as const
const stop = { 'pool.stop': { target: '#pool.stopping', actions: beginShutdown } } as const
const newsOfWorkers = {
  'worker.ready': { actions: 'noteReady' },
  'worker.lost': { actions: 'noteLost' },
  'worker.stopped': { actions: 'noteStopped' },
  'worker.troubled': { actions: 'noteError' },
} as const
const whileUp = {
  ...newsOfWorkers,
  ...scale,
  ...stop,
  'worker.failed': [
    { guard: 'isLastHope', target: '#pool.error', actions: 'noteFailed' },
    { actions: 'noteFailed' },
  ],
  ...ignore('pool.start', 'pool.recover', 'run.opened', 'run.failed'),
  ...ignore('workers.end', 'shutdown.finished', 'memory.changed', 'health.changed'),
} as const
const supervisorNews = ignore('memory.changed', 'health.changed')

export const poolMachine = setup({
  types: {
    context: {} as PoolContext,
    events: {} as PoolEvent,
    input: {} as { workers: number; startTimeoutMs: number },
  },
  guards: poolGuards,
  delays: { startDeadline: ({ context }) => context.startTimeoutMs },
  actions: {
    ...poolUpdates,
    'actors.open': port('actors.open'),
    'run.open': port('run.open'),
    'run.close': port('run.close'),
    'workers.tell': port<WorkersTold>('workers.tell'),
    'ledger.tell': port<PoolToLedger>('ledger.tell'),
    'supervisor.tell': port<PoolToSupervisor>('supervisor.tell'),
    'shutdown.tell': port<ShutdownEvent>('shutdown.tell'),
    'event.unexpected': port('event.unexpected'),
  },
}).createMachine({
  id: 'pool',
  description: 'A troupe of workers and the tasks it runs.',
  initial: 'idle',
  context: ({ input }) => ({
    startTimeoutMs: input.startTimeoutMs,
    size: input.workers,
    alive: [],
    ready: [],
    failed: [],
    error: null,
  }),
  entry: 'actors.open',
  on: { '*': { actions: 'event.unexpected' } },
  states: {
    idle: {
      description: 'Not started, or ended. Nothing runs, and tasks are refused.',
      on: {
        'pool.start': { target: 'starting', actions: 'forgetError' },
        'pool.scale': { actions: 'resize' },
        'worker.stopped': { actions: 'noteStopped' },
        'worker.lost': { actions: 'noteLost' },
        ...supervisorNews,
        ...ignore('pool.pause', 'pool.resume', 'pool.drain', 'pool.stop', 'pool.recover'),
        ...ignore('run.opened', 'run.failed', 'ledger.emptied', 'workers.end'),
        ...ignore('worker.ready', 'worker.failed', 'worker.troubled', 'shutdown.finished'),
      },
    },
    starting: {
      description: 'Tasks are accepted; the first workers are on their way.',
      initial: 'opening',
      entry: [openIntake, free],
      states: {
        opening: {
          description: 'The run folder is made and what dead pools left is swept.',
          entry: 'run.open',
          on: {
            'run.opened': { target: 'launching' },
            'run.failed': { target: '#pool.error', actions: 'noteError' },
            'pool.scale': { actions: 'resize' },
            ...newsOfWorkers,
            ...stop,
            ...supervisorNews,
            ...ignore('pool.start', 'pool.pause', 'pool.resume', 'pool.drain', 'pool.recover'),
            ...ignore('ledger.emptied', 'worker.failed', 'workers.end', 'shutdown.finished'),
          },
        },
        launching: {
          description: 'Workers start, as many at once as the supervisor lets.',
          entry: ['noteAlive', supervise, startWanted],
          after: {
            startDeadline: [
              { guard: 'isAnyReady', target: '#pool.running' },
              { target: '#pool.error', actions: 'noteStartTimedOut' },
            ],
          },
          on: {
            ...whileUp,
            'worker.ready': [
              { guard: 'isStartComplete', target: '#pool.running', actions: 'noteReady' },
              { actions: 'noteReady' },
            ],
            'worker.failed': [
              { guard: 'isLastHope', target: '#pool.error', actions: 'noteFailed' },
              { guard: 'isLastToFail', target: '#pool.running', actions: 'noteFailed' },
              { actions: 'noteFailed' },
            ],
            'pool.scale': [
              { guard: 'isEnoughReady', target: '#pool.running', actions: rescale },
              { actions: rescale },
            ],
            ...ignore('pool.pause', 'pool.resume', 'pool.drain', 'ledger.emptied'),
          },
        },
      },
    },
    running: {
      description: 'Tasks are accepted and run.',
      initial: 'accepting',
      states: {
        accepting: {
          description: 'Takes new tasks.',
          on: {
            'pool.drain': { target: 'draining' },
            ...ignore('ledger.emptied'),
          },
        },
        draining: {
          description: 'Refuses new tasks until those it has are ended.',
          entry: drainIntake,
          on: {
            'ledger.emptied': { target: 'accepting', actions: openIntake },
            ...ignore('pool.drain'),
          },
        },
        last: {
          description: 'Where it was before the pause.',
          type: 'history',
        },
      },
      on: {
        ...whileUp,
        'pool.pause': { target: 'paused' },
        ...ignore('pool.resume'),
      },
    },
    paused: {
      description: 'Nothing new starts; what runs may end.',
      entry: hold,
      on: {
        ...whileUp,
        'pool.resume': { target: 'running.last', actions: free },
        ...ignore('pool.pause', 'pool.drain', 'ledger.emptied'),
      },
    },
    stopping: {
      description: 'The shutdown has the word.',
      exit: unsupervise,
      on: {
        'shutdown.finished': { target: 'idle' },
        'workers.end': [
          { guard: 'isNobodyAlive', actions: workersGone },
          { guard: 'isStop', actions: [standDown, stopAll] },
          { guard: 'isTerminate', actions: [standDown, stopAll, terminateAll] },
          { actions: [standDown, stopAll, killAll] },
        ],
        'worker.stopped': [
          { guard: 'isLastToStop', actions: ['noteStopped', workersGone] },
          { actions: 'noteStopped' },
        ],
        'worker.ready': { actions: 'noteReady' },
        'worker.lost': { actions: 'noteLost' },
        'worker.failed': { actions: 'noteFailed' },
        ...ignore('worker.troubled'),
        'pool.stop': [{ guard: 'isForced', actions: forceShutdown }, {}],
        ...supervisorNews,
        ...ignore('pool.start', 'pool.pause', 'pool.resume', 'pool.drain', 'pool.recover'),
        ...ignore('pool.scale', 'run.opened', 'run.failed', 'ledger.emptied'),
      },
    },
    error: {
      description: 'No worker can start. What waited has failed; an operator looks at why.',
      entry: [failTasks, standDown, stopAll, killAll],
      on: {
        'pool.recover': { target: 'idle', actions: [unsupervise, 'run.close'] },
        ...newsOfWorkers,
        ...ignore('worker.troubled'),
        ...stop,
        ...supervisorNews,
        ...ignore('pool.start', 'pool.pause', 'pool.resume', 'pool.drain', 'pool.scale'),
        ...ignore('run.opened', 'run.failed', 'ledger.emptied', 'worker.failed'),
        ...ignore('workers.end', 'shutdown.finished'),
      },
    },
  },
})
