/** A pool's configuration, as the machines want to hear it. */
import type { ShutdownPolicy } from '../../machines/shutdown.machine.ts'
import type { SupervisorPolicy } from '../../machines/supervisor.setup.ts'
import type { WorkerPolicy } from '../../machines/worker.setup.ts'
import type { PoolConfig } from '../config/parse.ts'
import type { OrderPolicy } from '../config/order-plan.ts'

const TERMINATE_TIMEOUT_MS = 2_000
const KILL_TIMEOUT_MS = 1_000
const SHUTDOWN_KILL_TIMEOUT_MS = 5_000
const SWEEP_TIMEOUT_MS = 10_000
const BREAKER_COOLDOWN_MS = 5_000
const SCALE_COOLDOWN_MS = 2_000
const CRITICAL_ABOVE_THRESHOLD = 0.6
const MEMORY_HYSTERESIS = 0.05
const MEMORY_DWELL_MS = 5_000
const MAX_READING_INTERVAL_MS = 2_000
/** So many readings in a row that did not come are an alert. */
const MISSED_READINGS = 5
/** But a machine that is loaded is given so long. */
const MIN_READING_TIMEOUT_MS = 8_000

/** ms between two readings of the machine and of the workers. */
export function readingIntervalMs({
  heartbeatInterval,
}: Pick<PoolConfig, 'heartbeatInterval'>): number {
  return Math.min(heartbeatInterval, MAX_READING_INTERVAL_MS)
}

export function orderPolicy(config: PoolConfig): OrderPolicy {
  const { ageing, strategy, groupConcurrency, capabilities } = config
  return { ageingMs: ageing, strategy, groupConcurrency, capabilities }
}

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

/** `processors`: so many workers may start at once. */
export function supervisorPolicy(config: PoolConfig, processors: number): SupervisorPolicy {
  const { memoryThreshold } = config
  return {
    intensity: config.restart.intensity,
    periodMs: config.restart.period,
    cooldownMs: BREAKER_COOLDOWN_MS,
    maxStarting: processors,
    zombieAfterMs: config.zombieAfter,
    readingTimeoutMs: Math.max(MISSED_READINGS * readingIntervalMs(config), MIN_READING_TIMEOUT_MS),
    scaleCooldownMs: Math.min(SCALE_COOLDOWN_MS, config.idleTimeout),
    diskFloorBytes: config.diskFloor,
    memory: {
      pressureRatio: memoryThreshold,
      criticalRatio: memoryThreshold + (1 - memoryThreshold) * CRITICAL_ABOVE_THRESHOLD,
      hysteresis: MEMORY_HYSTERESIS,
      dwellMs: MEMORY_DWELL_MS,
      maxWorkerBytes: config.maxWorkerMemory,
      killWorkerBytes: config.maxWorkerMemoryHard,
    },
    scaling: {
      minWorkers: config.minWorkers,
      maxWorkers: config.maxWorkers,
      upAt: 0.8,
      downAt: 0.2,
      idleMs: config.idleTimeout,
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
