/** The compositions that are checked. What one holds still, another looks at. */
import type { EventObject } from 'xstate'
import { type CompositionPlan, PLAIN_TASK, SHIPPED } from './plan.ts'

const READINGS =
  "supervisor's memory, disk, scaling, health and missing readings (compositions memory, disk, load)"
const RECYCLING = 'recycling by count (composition recycling)'
const SCALE = 'pool.scale (composition scaling)'
const STANDBY = 'spares (composition standby)'
const PERMIT = 'fewer starts at once than workers (composition leave)'
const CLOCKS = 'delay, queueTimeout, deadline of tasks (composition clocks)'
const PAUSE = 'pause and drain (composition whole)'
const STARTED = '`started` reports (every other composition)'

const base: CompositionPlan = {
  name: '',
  workers: 2,
  standby: 0,
  tasks: 3,
  faults: 1,
  tasksPerWorker: 1,
  task: PLAIN_TASK,
  users: ['pause', 'drain', 'stop', 'force', 'restart', 'recover', 'cancel'],
  faultKinds: [
    'crash',
    'hang',
    'stuckTask',
    'failedAttempt',
    'failedStart',
    'failedRun',
    'lostMessage',
    'earlyTimer',
    'falseSilence',
    'retire',
  ],
  readings: [],
  reaction: null,
  saysStarted: true,
  intensity: 0,
  maxStarting: 2,
  maxTasksPerWorker: 0,
  machines: SHIPPED,
  isSymmetric: true,
  heldStill: [],
}

export const planOf = (change: Partial<CompositionPlan> & { name: string }): CompositionPlan => ({
  ...base,
  ...change,
})

/** Each ends in seconds. Together they take every way but those that need more of everything. */
export const SHORT_PLANS: readonly CompositionPlan[] = [
  planOf({ name: 'one', workers: 1, tasks: 2, heldStill: [READINGS, RECYCLING, SCALE, CLOCKS] }),
  planOf({ name: 'quarantine', workers: 1, tasks: 1, faults: 2, intensity: 1, users: [] }),
  planOf({
    name: 'leave',
    tasks: 1,
    maxStarting: 1,
    users: ['stop', 'force'],
    heldStill: [READINGS],
  }),
  planOf({
    name: 'breaker',
    tasks: 1,
    faults: 2,
    faultKinds: ['crash', 'failedStart'],
    intensity: 1,
    maxStarting: 1,
    users: ['stop'],
    heldStill: [READINGS, RECYCLING, SCALE, CLOCKS],
  }),
  planOf({
    name: 'recycling',
    workers: 1,
    tasks: 3,
    tasksPerWorker: 2,
    maxTasksPerWorker: 2,
    users: ['stop', 'pause'],
    heldStill: [READINGS, SCALE, CLOCKS],
  }),
  planOf({
    name: 'clocks',
    workers: 1,
    tasks: 2,
    users: ['pause', 'stop', 'cancel'],
    task: {
      ...PLAIN_TASK,
      idempotent: false,
      hasDeadline: true,
      hasQueueTimeout: true,
      isDelayed: true,
    },
    heldStill: [READINGS, RECYCLING, SCALE],
  }),
  planOf({
    name: 'memory',
    workers: 1,
    tasks: 1,
    faultKinds: ['crash', 'hang'],
    users: ['stop'],
    readings: ['memory'],
    heldStill: [RECYCLING, CLOCKS],
  }),
  planOf({
    name: 'disk',
    workers: 1,
    tasks: 2,
    faultKinds: ['crash', 'stuckTask'],
    users: ['stop', 'pause'],
    readings: ['disk'],
    heldStill: [RECYCLING, CLOCKS],
  }),
  planOf({
    name: 'load',
    tasks: 1,
    faults: 0,
    users: ['stop', 'restart'],
    readings: ['load', 'health', 'missing'],
    isSymmetric: false,
    heldStill: [RECYCLING, CLOCKS],
  }),
  planOf({
    name: 'standby',
    standby: 1,
    tasks: 1,
    users: ['stop', 'recover'],
    faultKinds: ['crash', 'hang', 'failedStart', 'lostMessage'],
    isSymmetric: false,
    heldStill: [READINGS, RECYCLING, CLOCKS],
  }),
  // A listener scales the pool at the news of an exit, in the middle of what follows from it.
  planOf({
    name: 'reacting',
    tasks: 1,
    faults: 0,
    users: ['stop', 'scale'],
    reaction: { type: 'pool.scale', workers: 2 } as EventObject,
    isSymmetric: false,
    heldStill: [READINGS, RECYCLING, CLOCKS],
  }),
  planOf({
    name: 'scaling',
    tasks: 1,
    users: ['stop', 'scale', 'pause'],
    faultKinds: ['crash', 'hang', 'failedStart'],
    isSymmetric: false,
    heldStill: [READINGS, RECYCLING, CLOCKS],
  }),
  // Every command of every machine and of the ledger throws once, before it is done and after.
  planOf({
    name: 'ports',
    workers: 1,
    tasks: 1,
    users: ['stop', 'force', 'restart', 'recover', 'cancel'],
    faultKinds: ['portThrows'],
    heldStill: [READINGS, RECYCLING, CLOCKS, PAUSE],
  }),
  planOf({
    name: 'portsRecycling',
    workers: 1,
    tasks: 1,
    faults: 2,
    maxTasksPerWorker: 1,
    users: ['stop'],
    faultKinds: ['portThrows', 'crash'],
    heldStill: [READINGS, CLOCKS, PAUSE],
  }),
  planOf({
    name: 'portsStandby',
    standby: 1,
    tasks: 1,
    users: ['stop', 'scale'],
    faultKinds: ['portThrows'],
    isSymmetric: false,
    heldStill: [READINGS, RECYCLING, CLOCKS, PAUSE],
  }),
]

/** The composition the issue asks for. */
export const WHOLE_PLAN: CompositionPlan = planOf({
  name: 'whole',
  heldStill: [READINGS, RECYCLING, SCALE, STANDBY, PERMIT, CLOCKS],
})

/** For a night. */
export const DEEP_PLAN: CompositionPlan = planOf({
  name: 'deep',
  faults: 2,
  saysStarted: false,
  intensity: 1,
  users: ['stop', 'force', 'recover', 'restart', 'cancel'],
  heldStill: [PAUSE, READINGS, RECYCLING, SCALE, STANDBY, PERMIT, CLOCKS, STARTED],
})

/**
 * Findings that are known and not mended yet: rule broken, and its name in the list of findings.
 */
export const OPEN_FINDINGS: Readonly<Record<string, string>> = {}
