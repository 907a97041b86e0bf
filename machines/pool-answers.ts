/** What several states of a pool answer alike. */
import {
  abortRun,
  beginShutdown,
  killAll,
  standDown,
  stopAll,
  unsupervise,
} from './pool-messages.ts'
import { ignore } from './protocol.ts'

export const stop = { 'pool.stop': { target: '#pool.stopping', actions: beginShutdown } } as const
/** A defect: what the actors know is not to be relied on, so all ends without them. */
export const broken = {
  'port.failed': { target: '#pool.error.aborting', actions: 'noteError' },
  'actor.failed': { target: '#pool.error.aborting', actions: 'noteError' },
  ...ignore('run.aborted'),
} as const
export const abortOnce = ['countAbort', abortRun] as const
/** Ends the run, whatever state its actors are in. */
export const abort = [
  standDown,
  stopAll,
  killAll,
  'forgetWorkers',
  unsupervise,
  ...abortOnce,
] as const
const leave = { target: '#pool.error.leaving', actions: ['noteError', ...abort] } as const
/** Somebody has asked for the end, and waits for it. */
export const brokenAtEnd = {
  'port.failed': leave,
  'actor.failed': leave,
  ...ignore('run.aborted'),
} as const
export const eventsOfWorkers = {
  'worker.ready': { actions: 'noteReady' },
  'worker.warmed': { actions: 'noteWarm' },
  'worker.lost': { actions: 'noteLost' },
  'worker.stopped': { actions: 'noteStopped' },
  'worker.troubled': { actions: 'noteTroubled' },
} as const
export const supervisorEvents = ignore(
  'memory.changed',
  'health.changed',
  'disk.changed',
  'readings.changed',
)
