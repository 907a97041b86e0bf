/**
 * What a composition is made of, and the policies its machines run with. Times are never compared:
 * any timer may fire.
 */
import type { AnyStateMachine, EventObject } from 'xstate'
import {
  poolMachine,
  shutdownMachine,
  supervisorMachine,
  workerMachine,
} from '../../machines/index.ts'
import type { ShutdownPolicy } from '../../machines/shutdown.machine.ts'
import type { SupervisorPolicy } from '../../machines/supervisor.setup.ts'
import type { WorkerPolicy } from '../../machines/worker.setup.ts'
import type { Step } from './ledger-messages.ts'
import type { TaskPlan } from './ledger-state.ts'

/** What the user of the pool may do. */
export type UserMessage =
  | 'pause'
  | 'drain'
  | 'stop'
  | 'force'
  | 'restart'
  | 'recover'
  | 'scale'
  | 'cancel'

/** What may go wrong. Each costs one of the budget. */
export type FaultMessage =
  | 'crash'
  | 'hang'
  | 'stuckTask'
  | 'failedAttempt'
  | 'failedStart'
  | 'failedRun'
  /** A word of a start is lost. That an attempt has ended: `stuckTask`. */
  | 'lostMessage'
  | 'earlyTimer'
  | 'falseSilence'
  | 'retire'
  /** A command of a machine throws, before it is done or after. */
  | 'portThrows'

/** What a reading may say beside silence. */
type ReadingMessage = 'memory' | 'load' | 'health' | 'disk' | 'missing'

interface MachineSet {
  readonly pool: AnyStateMachine
  readonly supervisor: AnyStateMachine
  readonly shutdown: AnyStateMachine
  readonly worker: AnyStateMachine
}

export interface CompositionPlan {
  readonly name: string
  /** Slots, those that stand by included. */
  readonly workers: number
  readonly standby: number
  readonly tasks: number
  readonly faults: number
  readonly tasksPerWorker: number
  readonly task: TaskPlan
  readonly users: readonly UserMessage[]
  readonly faultKinds: readonly FaultMessage[]
  readonly readings: readonly ReadingMessage[]
  /** What a listener to the news says to the pool at once whenever a process has exited. */
  readonly reaction: EventObject | null
  /** Children say `started` before they say how an attempt ended. */
  readonly saysStarted: boolean
  readonly intensity: number
  readonly maxStarting: number
  /** 0 for no limit. */
  readonly maxTasksPerWorker: number
  readonly machines: MachineSet
  readonly step?: Step
  /** Slots that differ in nothing but their number are one. */
  readonly isSymmetric: boolean
  /** What the environment holds still here, and where it is looked at instead. */
  readonly heldStill: readonly string[]
}

/** Bytes, of which only the order matters. */
export const SOFT_LIMIT = 10
export const HARD_LIMIT = 30
export const DISK_FLOOR = 10

export const SHIPPED: MachineSet = {
  pool: poolMachine,
  supervisor: supervisorMachine,
  shutdown: shutdownMachine,
  worker: workerMachine,
}

export const PLAIN_TASK: TaskPlan = {
  attempts: 2,
  idempotent: true,
  hasTimeout: true,
  hasQueueTimeout: false,
  hasDeadline: false,
  isDelayed: false,
}

export function workerPolicy(plan: CompositionPlan): WorkerPolicy {
  return {
    startTimeoutMs: 1,
    closeTimeoutMs: 1,
    terminateTimeoutMs: 1,
    killTimeoutMs: 1,
    restart: { type: 'fixed', delayMs: 1, maxDelayMs: 1, jitter: 0 },
    resetBackoffAfterMs: 1,
    maxTasks: plan.maxTasksPerWorker,
    maxAgeMs: 0,
  }
}

export function supervisorPolicy(plan: CompositionPlan): SupervisorPolicy {
  return {
    intensity: plan.intensity,
    periodMs: 1,
    cooldownMs: 1,
    maxStarting: plan.maxStarting,
    zombieAfterMs: 1,
    readingTimeoutMs: 1,
    scaleCooldownMs: 1,
    memory: {
      pressureRatio: 0.8,
      criticalRatio: 0.9,
      hysteresis: 0.05,
      dwellMs: 0,
      maxWorkerBytes: SOFT_LIMIT,
      killWorkerBytes: HARD_LIMIT,
    },
    diskFloorBytes: plan.readings.includes('disk') ? DISK_FLOOR : 0,
    scaling: {
      minWorkers: 1,
      maxWorkers: plan.workers - plan.standby,
      upAt: 0.8,
      downAt: 0.2,
      idleMs: 0,
    },
  }
}

export const SHUTDOWN_POLICY: ShutdownPolicy = {
  drainTimeoutMs: 1,
  stopTimeoutMs: 1,
  terminateTimeoutMs: 1,
  killTimeoutMs: 1,
  sweepTimeoutMs: 1,
}
