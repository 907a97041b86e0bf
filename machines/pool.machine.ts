/**
 * The pool: six states and exactly the ways between them. It owns no process and no task: it tells
 * the workers, the ledger, the supervisor and the shutdown what the pool's state means for them.
 */
import { setup } from 'xstate'
import {
  type PoolContext,
  poolDelays,
  type PoolEvent,
  poolGuards,
  type PoolToLedger,
  type PoolToSupervisor,
  poolUpdates,
} from './pool.setup.ts'
import {
  benchVacant,
  callSpare,
  drainIntake,
  forceShutdown,
  free,
  hold,
  killAll,
  openIntake,
  resupervise,
  standDown,
  standSpares,
  startWanted,
  stopAll,
  stopUnwanted,
  supervise,
  terminateAll,
  unsupervise,
  workersGone,
} from './pool-messages.ts'
import { broken, brokenAtEnd, eventsOfWorkers, stop, supervisorEvents } from './pool-answers.ts'
import { error } from './pool-error.ts'
import { port } from './port.ts'
import type { ShutdownEvent } from './shutdown.machine.ts'
import type { WorkersSend } from './supervisor-messages.ts'
import { type SerializedError, ignore } from './protocol.ts'

const follow = ['noteAlive', resupervise, startWanted, standSpares, stopUnwanted] as const
const rescale = ['resize', ...follow] as const
const afford = ['afford', 'noteAlive', resupervise, standSpares, stopUnwanted] as const
/** The place of one that is down is taken the moment a warm spare is there. */
const substitute = {
  guard: 'isSpareCalled',
  actions: [callSpare, benchVacant, 'substitute'],
} as const
const scale = { 'pool.scale': { actions: rescale } } as const
/** Who was told to start again while it stopped is down now, and not gone. */
const stoppedMeanwhile = {
  'worker.stopped': [{ guard: 'isWantedAgain', actions: 'noteLost' }, { actions: 'noteStopped' }],
} as const
const whileUp = {
  ...eventsOfWorkers,
  ...stoppedMeanwhile,
  ...scale,
  ...stop,
  'worker.failed': [
    { guard: 'isLastHope', target: '#pool.error', actions: 'noteFailed' },
    { actions: 'noteFailed' },
  ],
  'memory.changed': { actions: afford },
  ...ignore('pool.start', 'pool.recover', 'run.opened', 'run.failed'),
  ...ignore('workers.end', 'shutdown.finished', 'health.changed', 'disk.changed'),
  ...ignore('readings.changed'),
} as const

const whileLaunching = {
  ...whileUp,
  'worker.troubled': { actions: ['noteTroubled', 'countTrouble'] },
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
} as const

export const poolMachine = setup({
  types: {
    context: {} as PoolContext,
    events: {} as PoolEvent,
    input: {} as { workers: number; standby?: number; startTimeoutMs: number },
  },
  guards: poolGuards,
  delays: poolDelays,
  actions: {
    ...poolUpdates,
    'actors.open': port('actors.open'),
    'run.open': port('run.open'),
    'run.close': port('run.close'),
    'run.abort': port<{ readonly error: SerializedError }>('run.abort'),
    'workers.send': port<WorkersSend>('workers.send'),
    'ledger.send': port<PoolToLedger>('ledger.send'),
    'supervisor.send': port<PoolToSupervisor>('supervisor.send'),
    'shutdown.send': port<ShutdownEvent>('shutdown.send'),
    'event.unexpected': port('event.unexpected'),
  },
}).createMachine({
  id: 'pool',
  description: 'A troupe of workers and the tasks it runs.',
  initial: 'idle',
  context: ({ input }) => ({
    startTimeoutMs: input.startTimeoutMs,
    size: input.workers,
    standby: input.standby ?? 0,
    affordable: input.standby ?? 0,
    serving: [],
    spares: [],
    alive: [],
    ready: [],
    warm: [],
    down: [],
    failed: [],
    troubles: 0,
    aborts: 0,
    error: null,
  }),
  entry: 'actors.open',
  on: { ...broken, '*': { actions: 'event.unexpected' } },
  states: {
    idle: {
      description: 'Not started, or ended. Nothing runs, and tasks are refused.',
      on: {
        'pool.start': { target: 'starting', actions: 'begin' },
        'pool.scale': { actions: 'noteSize' },
        'worker.stopped': { actions: 'noteStopped' },
        'worker.lost': { actions: 'noteLost' },
        ...supervisorEvents,
        ...ignore('pool.pause', 'pool.resume', 'pool.drain', 'pool.stop', 'pool.recover'),
        ...ignore('run.opened', 'run.failed', 'ledger.emptied', 'workers.end'),
        ...ignore('worker.ready', 'worker.warmed', 'worker.failed', 'worker.troubled'),
        ...ignore('shutdown.finished'),
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
            'pool.scale': { actions: 'noteSize' },
            ...eventsOfWorkers,
            ...stop,
            ...supervisorEvents,
            ...ignore('pool.start', 'pool.pause', 'pool.resume', 'pool.drain', 'pool.recover'),
            ...ignore('ledger.emptied', 'worker.failed', 'workers.end', 'shutdown.finished'),
          },
        },
        launching: {
          description: 'Workers start, as many at once as the supervisor lets.',
          entry: ['rosterFirst', 'noteAlive', supervise, startWanted, standSpares],
          always: substitute,
          after: {
            startDeadline: [
              { guard: 'isAnyReady', target: '#pool.running' },
              { guard: 'isFirstTry', target: 'late' },
              { target: '#pool.error', actions: 'noteStartTimedOut' },
            ],
          },
          on: {
            ...whileLaunching,
            'worker.ready': [
              { guard: 'isStartComplete', target: '#pool.running', actions: 'noteReady' },
              { actions: 'noteReady' },
            ],
          },
        },
        late: {
          description: 'Nobody was ready in time: what hung is killed and has one more try.',
          after: { secondDeadline: { target: '#pool.error', actions: 'noteStartTimedOut' } },
          on: {
            ...whileLaunching,
            'worker.ready': { target: '#pool.running', actions: 'noteReady' },
            'worker.warmed': { target: '#pool.running', actions: 'noteWarm' },
            'worker.failed': whileUp['worker.failed'],
            'pool.scale': { actions: rescale },
          },
        },
      },
    },
    running: {
      description: 'Tasks are accepted and run.',
      initial: 'accepting',
      always: substitute,
      states: {
        accepting: {
          description: 'Takes new tasks.',
          on: {
            'pool.drain': { target: 'draining' },
            'pool.pause': { target: '#pool.paused.accepting' },
            ...ignore('ledger.emptied'),
          },
        },
        draining: {
          description: 'Refuses new tasks until those it has are ended.',
          entry: drainIntake,
          on: {
            'ledger.emptied': { target: 'accepting', actions: openIntake },
            'pool.pause': { target: '#pool.paused.draining' },
            ...ignore('pool.drain'),
          },
        },
      },
      on: { ...whileUp, ...ignore('pool.resume') },
    },
    paused: {
      description: 'Nothing new starts; what runs may end.',
      initial: 'accepting',
      entry: hold,
      always: substitute,
      states: {
        accepting: {
          description: 'New tasks are taken, and wait.',
          on: {
            'pool.resume': { target: '#pool.running.accepting', actions: free },
            ...ignore('pool.drain', 'ledger.emptied'),
          },
        },
        draining: {
          description: 'It was draining when it was paused: new tasks are still refused.',
          on: {
            'ledger.emptied': { target: 'accepting', actions: openIntake },
            'pool.resume': { target: '#pool.running.draining', actions: free },
            ...ignore('pool.drain'),
          },
        },
      },
      on: { ...whileUp, ...ignore('pool.pause') },
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
        ...ignore('worker.troubled', 'worker.warmed'),
        'pool.stop': [{ guard: 'isForced', actions: forceShutdown }, {}],
        ...brokenAtEnd,
        ...supervisorEvents,
        ...ignore('pool.start', 'pool.pause', 'pool.resume', 'pool.drain', 'pool.recover'),
        ...ignore('pool.scale', 'run.opened', 'run.failed', 'ledger.emptied'),
      },
    },
    error,
  },
})
