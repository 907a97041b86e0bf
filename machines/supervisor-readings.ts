/**
 * The supervisor's regions over readings: memory, load, the silent and the oversized, and the
 * troupe's health.
 */
import { suspects } from './supervisor.setup.ts'
import {
  bandChanged,
  diskChanged,
  dispatch,
  healthChanged,
  kill,
  readingsChanged,
  recycle,
  scale,
} from './supervisor-messages.ts'
import { ignore } from './protocol.ts'

const startsIgnored = ignore('start.requested', 'start.withdrawn', 'start.ended', 'worker.crashed')
const poolIgnored = ignore('pool.opened', 'pool.resized')
const resized = {
  'pool.opened': { actions: 'noteSize' },
  'pool.resized': { actions: 'noteSize' },
} as const
const killBursting = kill(suspects.bursting, 'memory')
const recycleOversized = recycle(suspects.oversized, true)

export const memory = {
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
            actions: ['noteBand', kill(suspects.largest, 'memoryShortage')],
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
      description: 'Above the threshold: nothing grows; the pool shrinks, or recycles who is idle.',
      entry: bandChanged('pressure'),
      on: {
        'reading.taken': [
          {
            guard: 'risesToCritical',
            target: 'critical',
            actions: ['noteBand', kill(suspects.largest, 'memoryShortage')],
          },
          { guard: 'calms', target: 'normal', actions: ['noteBand', bandChanged('normal')] },
          { guard: 'mayGiveBack', actions: ['noteBand', scale(-1)] },
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
          { guard: 'mayShed', actions: ['noteBand', kill(suspects.largest, 'memoryShortage')] },
          {},
        ],
        'pool.closed': { target: 'normal', actions: bandChanged('normal') },
        ...startsIgnored,
        ...poolIgnored,
      },
    },
  },
} as const

export const scaling = {
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
} as const

export const vigil = {
  description: 'Who is silent. Judged whatever else goes on.',
  initial: 'watching',
  states: {
    watching: {
      description: 'Kills the silent.',
      on: {
        'reading.taken': [{ guard: 'isSilent', actions: kill(suspects.silent, 'silent') }, {}],
        ...startsIgnored,
        ...poolIgnored,
        ...ignore('pool.closed'),
      },
    },
  },
} as const

export const sizes = {
  description: 'Who is too large. Judged whatever else goes on.',
  initial: 'watching',
  states: {
    watching: {
      description: 'Replaces who is past the soft limit, kills who is past the hard one.',
      on: {
        'reading.taken': [
          { guard: 'isBurstingAndOversized', actions: [killBursting, recycleOversized] },
          { guard: 'isBursting', actions: killBursting },
          { guard: 'isOversized', actions: recycleOversized },
          {},
        ],
        ...startsIgnored,
        ...poolIgnored,
        ...ignore('pool.closed'),
      },
    },
  },
} as const

export const disk = {
  description: 'Whether there is room for profiles and artifacts.',
  initial: 'roomy',
  states: {
    roomy: {
      description: 'Enough.',
      on: {
        'reading.taken': [{ guard: 'runsLow', target: 'low', actions: diskChanged(true) }, {}],
        ...startsIgnored,
        ...poolIgnored,
        ...ignore('pool.closed'),
      },
    },
    low: {
      description: 'Below the floor: nothing is dispatched that could write there.',
      entry: dispatch('dispatch.hold', 'disk'),
      exit: dispatch('dispatch.free', 'disk'),
      on: {
        'reading.taken': [
          { guard: 'hasRoomAgain', target: 'roomy', actions: diskChanged(false) },
          {},
        ],
        'pool.closed': { target: 'roomy', actions: diskChanged(false) },
        ...startsIgnored,
        ...poolIgnored,
      },
    },
  },
} as const

export const readings = {
  description: 'Whether readings come at all: what is judged by them is judged by nobody else.',
  initial: 'unwatched',
  states: {
    unwatched: {
      description: 'The pool is closed: no readings are taken.',
      on: {
        'pool.opened': { target: 'coming' },
        ...startsIgnored,
        ...ignore('pool.closed', 'pool.resized', 'reading.taken'),
      },
    },
    coming: {
      description: 'The last reading was in time.',
      after: { readingTimeout: { target: 'missing', actions: readingsChanged(true) } },
      on: {
        'reading.taken': { target: 'coming', reenter: true },
        'pool.closed': { target: 'unwatched' },
        ...startsIgnored,
        ...poolIgnored,
      },
    },
    missing: {
      description: 'No reading came for too long: an alert, and the pool is not healthy.',
      on: {
        'reading.taken': { target: 'coming', actions: readingsChanged(false) },
        'pool.closed': { target: 'unwatched', actions: readingsChanged(false) },
        ...startsIgnored,
        ...poolIgnored,
      },
    },
  },
} as const

export const health = {
  description: 'How whole the troupe is.',
  initial: 'healthy',
  states: {
    healthy: {
      description: 'Every wanted worker serves.',
      always: { guard: 'areReadingsMissing', target: 'degraded' },
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
      description: 'Some wanted workers do not serve, or nobody knows whether they do.',
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
} as const
