/** A pool's configuration, as the machines want to hear it. */
import { availableParallelism } from 'node:os'
import type { ShutdownPolicy } from '../machines/shutdown.ts'
import type { SupervisorPolicy } from '../machines/supervisor-facts.ts'
import type { WorkerPolicy } from '../machines/worker-facts.ts'
import type { PoolConfig } from './config.ts'

const TERMINATE_TIMEOUT_MS = 2_000
const KILL_TIMEOUT_MS = 1_000
const SHUTDOWN_KILL_TIMEOUT_MS = 5_000
const SWEEP_TIMEOUT_MS = 10_000
const BREAKER_COOLDOWN_MS = 5_000
const SCALE_COOLDOWN_MS = 2_000
const SCALE_IDLE_MS = 60_000
const CRITICAL_ABOVE_THRESHOLD = 0.6
const MEMORY_HYSTERESIS = 0.05
const MEMORY_DWELL_MS = 5_000

export function workerPolicy(config: PoolConfig): WorkerPolicy {
  return {
    startTimeoutMs: config.startTimeout,
    closeTimeoutMs: config.closeTimeout,
    terminateTimeoutMs: TERMINATE_TIMEOUT_MS,
    killTimeoutMs: KILL_TIMEOUT_MS,
    restart: {
      type: 'exponential',
      delayMs: config.restart.minBackoff,
      maxDelayMs: config.restart.maxBackoff,
      jitter: config.restart.randomFactor,
    },
    resetBackoffAfterMs: config.restart.resetBackoffAfter,
    maxTasks: config.maxTasksPerWorker,
    maxAgeMs: config.maxWorkerAge,
  }
}

export function supervisorPolicy(config: PoolConfig): SupervisorPolicy {
  const { memoryThreshold } = config
  return {
    intensity: config.restart.intensity,
    periodMs: config.restart.period,
    cooldownMs: BREAKER_COOLDOWN_MS,
    maxStarting: availableParallelism(),
    zombieAfterMs: config.zombieAfter,
    scaleCooldownMs: SCALE_COOLDOWN_MS,
    memory: {
      pressureRatio: memoryThreshold,
      criticalRatio: memoryThreshold + (1 - memoryThreshold) * CRITICAL_ABOVE_THRESHOLD,
      hysteresis: MEMORY_HYSTERESIS,
      dwellMs: MEMORY_DWELL_MS,
      maxWorkerBytes: config.maxWorkerMemory,
    },
    scaling: {
      minWorkers: config.minWorkers,
      maxWorkers: config.maxWorkers,
      upAt: 0.8,
      downAt: 0.2,
      idleMs: SCALE_IDLE_MS,
    },
  }
}

export function shutdownPolicy(config: PoolConfig): ShutdownPolicy {
  return {
    drainTimeoutMs: config.drainTimeout,
    stopTimeoutMs: config.cancelGrace + config.closeTimeout,
    terminateTimeoutMs: TERMINATE_TIMEOUT_MS,
    killTimeoutMs: SHUTDOWN_KILL_TIMEOUT_MS,
    sweepTimeoutMs: SWEEP_TIMEOUT_MS,
  }
}
