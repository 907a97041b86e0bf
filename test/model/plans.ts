/** The compositions that are checked, by name. */
import { type CompositionPlan, PLAIN_TASK, SHIPPED } from './plan.ts'

const base: CompositionPlan = {
  name: '',
  workers: 2,
  tasks: 3,
  faults: 1,
  seatsPerWorker: 1,
  task: PLAIN_TASK,
  users: ['pause', 'drain', 'stop', 'force', 'restart', 'recover', 'cancel'],
  faultKinds: [
    'crash',
    'hang',
    'stuckTask',
    'failedAttempt',
    'failedStart',
    'failedRun',
    'earlyTimer',
    'falseSilence',
    'retire',
  ],
  readings: [],
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
