/**
 * The pool: six states and exactly the ways between them. It owns no process and no task: it tells the workers,
 * the ledger, the supervisor and the shutdown what the pool's state means for them.
 */
import { assign, setup } from 'xstate'
import { port } from './port.ts'
import type { ShutdownEvent, ShutdownToPool } from './shutdown.ts'
import type { SupervisorToPool, WorkersTold } from './supervisor.ts'
import { type DispatchHolder, type ErrorFacts, ignore, type SlotId } from './vocabulary.ts'
import type { WorkerEvent } from './worker-facts.ts'
import type { WorkerToPool } from './worker-words.ts'

export interface PoolContext {
  readonly startTimeoutMs: number
  /** Wanted workers. */
  readonly size: number
  /** Every slot that was told to start and has not stopped since. */
  readonly alive: readonly SlotId[]
  readonly ready: readonly SlotId[]
  readonly failed: readonly SlotId[]
  readonly error: ErrorFacts | null
}
export type PoolEvent =
  | { type: 'pool.start' }
  | { type: 'pool.pause' }
  | { type: 'pool.resume' }
  | { type: 'pool.drain' }
  | { type: 'pool.stop'; force: boolean }
  | { type: 'pool.recover' }
  | { type: 'pool.scale'; workers: number }
  | { type: 'run.opened' }
  | { type: 'run.failed'; error: ErrorFacts }
  /** Every accepted task has ended. */
  | { type: 'ledger.emptied' }
  | WorkerToPool
  | ShutdownToPool
  | SupervisorToPool
export type PoolToLedger =
  | { type: 'dispatch.hold'; holder: DispatchHolder }
  | { type: 'dispatch.free'; holder: DispatchHolder }
  | { type: 'intake.open' }
  | { type: 'intake.drain' }
  | { type: 'pool.failed'; error: ErrorFacts }
export type PoolToSupervisor =
  | { type: 'pool.opened'; workers: number }
  | { type: 'pool.resized'; workers: number }
  | { type: 'pool.closed' }

type Args = { context: PoolContext; event: PoolEvent }
type Of<T extends PoolEvent['type']> = Extract<PoolEvent, { type: T }>

const slotsUpTo = (size: number): SlotId[] =>
  Array.from({ length: size }, (_, index): SlotId => `worker-${index + 1}`)
const slotOf = ({ event }: Args) => (event as Of<'worker.ready'>).slot
const isWanted = (context: PoolContext, slot: SlotId) => Number(slot.slice(7)) <= context.size
const without = (slots: readonly SlotId[], slot: SlotId) => slots.filter((other) => other !== slot)
const withSlot = (slots: readonly SlotId[], slot: SlotId) => [...without(slots, slot), slot]
const wanted = (context: PoolContext, slots: readonly SlotId[]) =>
  slots.filter((slot) => isWanted(context, slot)).length
const change = (update: (args: Args) => Partial<PoolContext>) =>
  assign<PoolContext, PoolEvent, undefined, PoolEvent, never>(update)
const START_TIMED_OUT: ErrorFacts = {
  code: 'WORKER_START_FAILED',
  message: 'no worker was ready within the start timeout',
}

const poolUpdates = {
  noteReady: change((args) => ({
    ready: withSlot(args.context.ready, slotOf(args)),
    failed: without(args.context.failed, slotOf(args)),
  })),
  noteLost: change((args) => ({ ready: without(args.context.ready, slotOf(args)) })),
  noteFailed: change((args) => ({
    ready: without(args.context.ready, slotOf(args)),
    failed: withSlot(args.context.failed, slotOf(args)),
    error: (args.event as Of<'worker.failed'>).error,
  })),
  noteStopped: change((args) => ({
    alive: without(args.context.alive, slotOf(args)),
    ready: without(args.context.ready, slotOf(args)),
    failed: without(args.context.failed, slotOf(args)),
  })),
  noteError: change(({ event }) => ({ error: (event as Of<'run.failed'>).error })),
  noteStartTimedOut: change(({ context }) => ({
    error: context.error === null ? START_TIMED_OUT : { ...START_TIMED_OUT, cause: context.error },
  })),
  forgetError: change(() => ({ error: null, failed: [] })),
  /** Those that had failed are told to start again. */
  resize: change(({ event }) => ({ size: (event as Of<'pool.scale'>).workers, failed: [] })),
  noteAlive: change(({ context }) => ({
    alive: [...new Set([...context.alive, ...slotsUpTo(context.size)])],
  })),
}

const poolGuards = {
  /** With this one, every wanted worker is either ready or beyond hope. */
  isStartComplete: (args: Args) =>
    wanted(args.context, withSlot(args.context.ready, slotOf(args))) +
      wanted(args.context, without(args.context.failed, slotOf(args))) >=
    args.context.size,
  isEnoughReady: ({ context, event }: Args) => {
    const { workers } = event as Of<'pool.scale'>
    return wanted({ ...context, size: workers }, context.ready) >= workers
  },
  isLastHope: (args: Args) =>
    wanted(args.context, withSlot(args.context.failed, slotOf(args))) >= args.context.size,
  isLastToFail: (args: Args) =>
    wanted(args.context, withSlot(args.context.failed, slotOf(args))) +
      wanted(args.context, without(args.context.ready, slotOf(args))) >=
    args.context.size,
  isAnyReady: ({ context }: Args) => context.ready.length > 0,
  isLastToStop: (args: Args) => without(args.context.alive, slotOf(args)).length === 0,
  isNobodyAlive: ({ context }: Args) => context.alive.length === 0,
  isStop: ({ event }: Args) => (event as Of<'workers.end'>).how === 'stop',
  isTerminate: ({ event }: Args) => (event as Of<'workers.end'>).how === 'terminate',
  isForced: ({ event }: Args) => (event as Of<'pool.stop'>).force,
}

const toWorkers = (whom: (context: PoolContext) => readonly SlotId[], event: WorkerEvent) =>
  ({
    type: 'workers.tell',
    params: ({ context }: Args): WorkersTold => ({ slots: whom(context), event }),
  }) as const
const alive = (context: PoolContext) => context.alive
const startWanted = toWorkers((context) => slotsUpTo(context.size), { type: 'worker.start' })
const stopUnwanted = toWorkers(
  (context) => context.alive.filter((slot) => !isWanted(context, slot)),
  { type: 'worker.stop' },
)
const stopAll = toWorkers(alive, { type: 'worker.stop' })
const terminateAll = toWorkers(alive, { type: 'worker.terminate' })
const killAll = toWorkers(alive, { type: 'worker.kill', incarnation: null, cause: 'stopped' })
const toLedger = (make: (args: Args) => PoolToLedger) =>
  ({ type: 'ledger.tell', params: make }) as const
const hold = toLedger(() => ({ type: 'dispatch.hold', holder: 'pool' }))
const free = toLedger(() => ({ type: 'dispatch.free', holder: 'pool' }))
const openIntake = toLedger(() => ({ type: 'intake.open' }))
const drainIntake = toLedger(() => ({ type: 'intake.drain' }))
const failTasks = toLedger(({ context }) => ({
  type: 'pool.failed',
  error: context.error ?? START_TIMED_OUT,
}))
const toSupervisor = (make: (args: Args) => PoolToSupervisor) =>
  ({ type: 'supervisor.tell', params: make }) as const
const supervise = toSupervisor(({ context }) => ({ type: 'pool.opened', workers: context.size }))
const resupervise = toSupervisor(({ context }) => ({
  type: 'pool.resized',
  workers: context.size,
}))
const unsupervise = toSupervisor(() => ({ type: 'pool.closed' }))
const toShutdown = (make: (args: Args) => ShutdownEvent) =>
  ({ type: 'shutdown.tell', params: make }) as const
const beginShutdown = toShutdown(({ event }) => ({
  type: 'shutdown.begin',
  force: event.type === 'pool.stop' && event.force,
}))
const forceShutdown = toShutdown(() => ({ type: 'shutdown.force' }))
const workersGone = toShutdown(() => ({ type: 'workers.gone' }))

const rescale = ['resize', 'noteAlive', startWanted, stopUnwanted, resupervise] as const
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
          { guard: 'isStop', actions: stopAll },
          { guard: 'isTerminate', actions: [stopAll, terminateAll] },
          { actions: [stopAll, killAll] },
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
      entry: [failTasks, stopAll, killAll],
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
