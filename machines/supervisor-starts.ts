/**
 * The supervisor's region over starts and restarts: a start permit, and the breaker over their
 * intensity.
 */
import { dispatch, grantAsker, grantNext } from './supervisor-messages.ts'
import { ignore } from './protocol.ts'

const poolSized = {
  'pool.resized': { actions: 'forgetUnwanted' },
  ...ignore('pool.opened'),
} as const
const closeBreaker = dispatch('dispatch.free', 'breaker')
/** A start has ended, one way or the other: the next in line may start. */
const passOn = [
  {
    guard: 'isNextWaitingForStarter',
    actions: ['noteStartEnded', 'startNext', grantNext],
  },
  { actions: 'noteStartEnded' },
] as const
/** Nobody gets the leave that is given back. */
const launched = { guard: 'isStarting', actions: 'noteLaunched' } as const

export const restarts = {
  description: 'A breaker over the intensity of restarts; every start asks here for leave.',
  initial: 'closed',
  states: {
    closed: {
      description: 'Starts are granted: as many browsers launch at once as the machine has cores.',
      on: {
        'start.requested': [
          { guard: 'mayStart', actions: ['noteStarting', grantAsker] },
          { actions: 'noteWaiting' },
        ],
        'start.launched': [
          { guard: 'isNextWaitingForStarter', actions: ['noteLaunched', 'startNext', grantNext] },
          launched,
          {},
        ],
        'start.withdrawn': passOn,
        'start.ended': passOn,
        'worker.crashed': [
          { guard: 'exceedsIntensity', target: 'open', actions: 'noteCrash' },
          { actions: 'noteCrash' },
        ],
        'pool.closed': { actions: 'forgetStarts' },
        ...ignore('reading.taken'),
        ...poolSized,
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
        'start.launched': [launched, {}],
        'worker.crashed': { actions: 'noteCrash' },
        'pool.closed': {
          target: 'closed',
          actions: ['forgetStarts', closeBreaker],
        },
        ...ignore('reading.taken'),
        ...poolSized,
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
          actions: ['forgetStarts', closeBreaker],
        },
        ...ignore('reading.taken'),
        ...poolSized,
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
            ...ignore('start.launched'),
          },
        },
        probing: {
          description: 'One worker tries; its launch is not yet an answer.',
          on: {
            'start.requested': { actions: 'noteWaiting' },
            'start.launched': [launched, {}],
            'start.withdrawn': [
              { guard: 'isProbe', target: 'looking', actions: 'noteStartEnded' },
              { actions: 'noteStartEnded' },
            ],
            'start.ended': [
              {
                guard: 'isProbeReady',
                target: '#supervisor.restarts.recovered',
                actions: 'noteStartEnded',
              },
              { guard: 'isProbe', target: 'looking', actions: 'noteStartEnded' },
              { actions: 'noteStartEnded' },
            ],
          },
        },
      },
    },
    recovered: {
      description: 'The probe served, or took its time: those who waited start again.',
      entry: ['forgetCrashes', closeBreaker],
      always: [{ guard: 'mayStartNext', actions: ['startNext', grantNext] }, { target: 'closed' }],
    },
  },
} as const
