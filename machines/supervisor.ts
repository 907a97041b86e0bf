/**
 * What watches over the workers: leave to start, the breaker over restarts, memory, load and silence. It never touches
 * a process: it tells workers, the ledger and the pool what they should do.
 */
import { setup } from 'xstate'
import { port } from './port.ts'
import {
  readingOf,
  supervisorDelays,
  type SupervisorContext,
  type SupervisorEvent,
  supervisorGuards,
  type SupervisorPolicy,
  supervisorUpdates,
  suspects,
} from './supervisor-facts.ts'
import { type DispatchHolder, type ExitCause, ignore, type SlotId } from './vocabulary.ts'
import type { WorkerEvent } from './worker-facts.ts'

export interface WorkersTold {
  readonly slots: readonly SlotId[]
  readonly event: WorkerEvent
}
export type SupervisorToLedger =
  | { type: 'dispatch.hold'; holder: DispatchHolder }
  | { type: 'dispatch.free'; holder: DispatchHolder }
export type SupervisorToPool =
  | { type: 'pool.scale'; workers: number }
  | { type: 'memory.changed'; band: 'normal' | 'pressure' | 'critical'; ratio: number }
  | { type: 'health.changed'; health: 'healthy' | 'degraded' | 'critical' }

type Args = { context: SupervisorContext; event: SupervisorEvent }

const granted = (slots: readonly SlotId[]): WorkersTold => ({
  slots,
  event: { type: 'start.granted' },
})
const grantAsker = {
  type: 'workers.tell',
  params: ({ event }: Args) => granted('slot' in event ? [event.slot] : []),
} as const
/** `startNext` has just moved it to the end of those starting. */
const grantNext = {
  type: 'workers.tell',
  params: ({ context }: Args) => granted(context.starting.slice(-1)),
} as const
const kill = (whom: (args: Args) => SlotId[], cause: ExitCause) =>
  ({
    type: 'workers.tell',
    params: (args: Args): WorkersTold => ({
      slots: whom(args),
      event: { type: 'worker.kill', incarnation: null, cause },
    }),
  }) as const
const recycle = (whom: (args: Args) => SlotId[], replace: boolean) =>
  ({
    type: 'workers.tell',
    params: (args: Args): WorkersTold => ({
      slots: whom(args),
      event: { type: 'worker.recycle', cause: 'memory', replace },
    }),
  }) as const
const dispatch = (type: SupervisorToLedger['type'], holder: DispatchHolder) =>
  ({ type: 'ledger.tell', params: (): SupervisorToLedger => ({ type, holder }) }) as const
const bandChanged = (band: 'normal' | 'pressure' | 'critical') =>
  ({
    type: 'pool.tell',
    params: (args: Args): SupervisorToPool => ({
      type: 'memory.changed',
      band,
      ratio: args.event.type === 'reading.taken' ? readingOf(args).memoryRatio : 0,
    }),
  }) as const
const healthChanged = (health: 'healthy' | 'degraded' | 'critical') =>
  ({
    type: 'pool.tell',
    params: (): SupervisorToPool => ({ type: 'health.changed', health }),
  }) as const
const scale = (step: 1 | -1) =>
  ({
    type: 'pool.tell',
    params: ({ context }: Args): SupervisorToPool => ({
      type: 'pool.scale',
      workers: context.size + step,
    }),
  }) as const

const killSilent = kill(suspects.silent, 'silent')
const recycleOversized = recycle(suspects.oversized, true)
const judgeWorkers = [
  { guard: 'isSilentAndOversized', actions: [killSilent, recycleOversized] },
  { guard: 'isSilent', actions: killSilent },
  { guard: 'isOversized', actions: recycleOversized },
  {},
] as const
const startsIgnored = ignore('start.requested', 'start.withdrawn', 'start.ended', 'worker.crashed')
const poolIgnored = ignore('pool.opened', 'pool.resized')
const resized = {
  'pool.opened': { actions: 'noteSize' },
  'pool.resized': { actions: 'noteSize' },
} as const
/** A start has ended, one way or the other: the next in line may start. */
const passOn = [
  {
    guard: 'isNextWaitingForStarter',
    actions: ['noteStartEnded', 'startNext', grantNext],
  },
  { actions: 'noteStartEnded' },
] as const

export const supervisorMachine = setup({
  types: {
    context: {} as SupervisorContext,
    events: {} as SupervisorEvent,
    input: {} as { policy: SupervisorPolicy },
  },
  guards: supervisorGuards,
  delays: supervisorDelays,
  actions: {
    ...supervisorUpdates,
    'workers.tell': port<WorkersTold>('workers.tell'),
    'ledger.tell': port<SupervisorToLedger>('ledger.tell'),
    'pool.tell': port<SupervisorToPool>('pool.tell'),
    'event.unexpected': port('event.unexpected'),
  },
}).createMachine({
  id: 'supervisor',
  description: 'Watches over the workers: starts, restarts, memory, load, silence.',
  type: 'parallel',
  context: ({ input }) => ({
    policy: input.policy,
    size: 0,
    waiting: [],
    starting: [],
    crashesMs: [],
    bandSinceMs: 0,
    lowSinceMs: null,
  }),
  on: { '*': { actions: 'event.unexpected' } },
  states: {
    restarts: {
      description: 'A breaker over the intensity of restarts; every start asks here for leave.',
      initial: 'closed',
      states: {
        closed: {
          description: 'Starts are granted, as many at once as the machine has cores.',
          on: {
            'start.requested': [
              { guard: 'mayStart', actions: ['noteStarting', grantAsker] },
              { actions: 'noteWaiting' },
            ],
            'start.withdrawn': passOn,
            'start.ended': passOn,
            'worker.crashed': [
              { guard: 'exceedsIntensity', target: 'open', actions: 'noteCrash' },
              { actions: 'noteCrash' },
            ],
            'pool.closed': { actions: 'forgetStarts' },
            ...ignore('reading.taken'),
            ...poolIgnored,
          },
        },
        open: {
          description: 'Too many crashes: nothing is started or dispatched for a while.',
          entry: dispatch('dispatch.hold', 'breaker'),
          after: { breakerCooldown: { target: 'halfOpen' } },
          on: {
            'start.requested': { actions: 'noteWaiting' },
            'start.withdrawn': { actions: 'noteStartEnded' },
            'start.ended': { actions: 'noteStartEnded' },
            'worker.crashed': { actions: 'noteCrash' },
            'pool.closed': {
              target: 'closed',
              actions: ['forgetStarts', dispatch('dispatch.free', 'breaker')],
            },
            ...ignore('reading.taken'),
            ...poolIgnored,
          },
        },
        halfOpen: {
          description: 'One start at a time is tried: its success closes the breaker.',
          initial: 'looking',
          after: {
            probeTimeout: {
              target: 'recovered',
            },
          },
          on: {
            'worker.crashed': { target: 'open', actions: 'noteCrash' },
            'pool.closed': {
              target: 'closed',
              actions: ['forgetStarts', dispatch('dispatch.free', 'breaker')],
            },
            ...ignore('reading.taken'),
            ...poolIgnored,
          },
          states: {
            looking: {
              description: 'Nobody probes yet.',
              always: [
                { guard: 'isProbing', target: 'probing' },
                {
                  guard: 'isNextWaiting',
                  target: 'probing',
                  actions: ['startNext', grantNext],
                },
              ],
              on: {
                'start.requested': { target: 'probing', actions: ['noteStarting', grantAsker] },
                'start.withdrawn': { actions: 'noteStartEnded' },
                'start.ended': { actions: 'noteStartEnded' },
              },
            },
            probing: {
              description: 'One worker tries.',
              on: {
                'start.requested': { actions: 'noteWaiting' },
                'start.withdrawn': [
                  { guard: 'isStarting', target: 'looking', actions: 'noteStartEnded' },
                  { actions: 'noteStartEnded' },
                ],
                'start.ended': [
                  {
                    guard: 'isProbeReady',
                    target: '#supervisor.restarts.recovered',
                    actions: 'noteStartEnded',
                  },
                  { guard: 'isStarting', target: 'looking', actions: 'noteStartEnded' },
                  { actions: 'noteStartEnded' },
                ],
              },
            },
          },
        },
        recovered: {
          description: 'The probe served, or took its time: those who waited start again.',
          entry: ['forgetCrashes', dispatch('dispatch.free', 'breaker')],
          always: [
            { guard: 'mayStartNext', target: 'closed', actions: ['startNext', grantNext] },
            { target: 'closed' },
          ],
        },
      },
    },
    memory: {
      description: "How full the machine's memory is, with hysteresis and a least stay.",
      initial: 'normal',
      states: {
        normal: {
          description: 'Enough.',
          on: {
            'reading.taken': [
              {
                guard: 'entersCritical',
                target: 'critical',
                actions: ['noteBand', kill(suspects.largest, 'memory')],
              },
              {
                guard: 'entersPressure',
                target: 'pressure',
                actions: ['noteBand', recycle(suspects.largestIdle, false)],
              },
              {},
            ],
            ...startsIgnored,
            ...poolIgnored,
            ...ignore('pool.closed'),
          },
        },
        pressure: {
          description: 'Above the threshold: nothing grows, the largest idle worker is recycled.',
          entry: bandChanged('pressure'),
          on: {
            'reading.taken': [
              {
                guard: 'risesToCritical',
                target: 'critical',
                actions: ['noteBand', kill(suspects.largest, 'memory')],
              },
              { guard: 'calms', target: 'normal', actions: ['noteBand', bandChanged('normal')] },
              {
                guard: 'mayRelieve',
                actions: ['noteBand', recycle(suspects.largestIdle, false)],
              },
              {},
            ],
            'pool.closed': { target: 'normal', actions: bandChanged('normal') },
            ...startsIgnored,
            ...poolIgnored,
          },
        },
        critical: {
          description: 'Near the limit: dispatch is held, the largest worker is killed.',
          entry: [bandChanged('critical'), dispatch('dispatch.hold', 'memory')],
          exit: dispatch('dispatch.free', 'memory'),
          on: {
            'reading.taken': [
              {
                guard: 'easesToNormal',
                target: 'normal',
                actions: ['noteBand', bandChanged('normal')],
              },
              { guard: 'easesToPressure', target: 'pressure', actions: 'noteBand' },
              { guard: 'mayShed', actions: ['noteBand', kill(suspects.largest, 'memory')] },
              {},
            ],
            'pool.closed': { target: 'normal', actions: bandChanged('normal') },
            ...startsIgnored,
            ...poolIgnored,
          },
        },
      },
    },
    scaling: {
      description: 'How many workers the load asks for.',
      initial: 'steady',
      states: {
        steady: {
          description: 'As many as wanted.',
          on: {
            'reading.taken': [
              { guard: 'mayGrow', target: 'growing', actions: ['forgetLow', scale(1)] },
              { guard: 'mayShrink', target: 'shrinking', actions: ['forgetLow', scale(-1)] },
              { guard: 'isLowNow', actions: 'noteLow' },
              { guard: 'isLowStill' },
              { actions: 'forgetLow' },
            ],
            ...resized,
            ...startsIgnored,
            ...ignore('pool.closed'),
          },
        },
        growing: {
          description: 'One worker was added; waits to see what it changes.',
          after: { scaleCooldown: { target: 'steady' } },
          on: {
            'pool.closed': { target: 'steady' },
            ...resized,
            ...startsIgnored,
            ...ignore('reading.taken'),
          },
        },
        shrinking: {
          description: 'One worker was taken away; waits to see what it changes.',
          after: { scaleCooldown: { target: 'steady' } },
          on: {
            'pool.closed': { target: 'steady' },
            ...resized,
            ...startsIgnored,
            ...ignore('reading.taken'),
          },
        },
      },
    },
    vigil: {
      description: 'Who is silent or too large. Judged whatever else goes on.',
      initial: 'watching',
      states: {
        watching: {
          description: 'Kills the silent, recycles the oversized.',
          on: {
            'reading.taken': judgeWorkers,
            ...startsIgnored,
            ...poolIgnored,
            ...ignore('pool.closed'),
          },
        },
      },
    },
    health: {
      description: 'How whole the troupe is.',
      initial: 'healthy',
      states: {
        healthy: {
          description: 'Every wanted worker serves.',
          on: {
            'reading.taken': [
              { guard: 'lacksAll', target: 'critical' },
              { guard: 'lacksSome', target: 'degraded' },
              {},
            ],
            ...startsIgnored,
            ...poolIgnored,
            ...ignore('pool.closed'),
          },
        },
        degraded: {
          description: 'Some wanted workers do not serve.',
          entry: healthChanged('degraded'),
          on: {
            'reading.taken': [
              { guard: 'lacksAll', target: 'critical' },
              { guard: 'lacksSome' },
              { target: 'healthy', actions: healthChanged('healthy') },
            ],
            'pool.closed': { target: 'healthy', actions: healthChanged('healthy') },
            ...startsIgnored,
            ...poolIgnored,
          },
        },
        critical: {
          description: 'No wanted worker serves.',
          entry: healthChanged('critical'),
          on: {
            'reading.taken': [
              { guard: 'lacksAll' },
              { guard: 'lacksSome', target: 'degraded' },
              { target: 'healthy', actions: healthChanged('healthy') },
            ],
            'pool.closed': { target: 'healthy', actions: healthChanged('healthy') },
            ...startsIgnored,
            ...poolIgnored,
          },
        },
      },
    },
  },
})
