/**
 * Which news raise an alert and which clear it: the queue, the breaker, memory, readers, workers
 * that failed for good. It keeps nothing: what is wrong now stands in the alerts.
 */
import type { PoolToLedger } from '../../machines/pool-facts.ts'
import type { SupervisorToLedger, SupervisorToPool } from '../../machines/supervisor-words.ts'
import type { SlotId } from '../../machines/vocabulary.ts'
import type { WorkerToLedger, WorkerToPool } from '../../machines/worker-words.ts'
import type { PoolConfig } from '../config.ts'
import type { TroupeError } from '../errors.ts'
import type { Reader } from '../monitor/readers.ts'
import type { PoolAlerts } from './alerts.ts'
import type { PoolAnnouncer } from './announcer.ts'

/** The queue is near full from this share of `maxQueue` on, and no longer below the second. */
export const NEAR_FULL = 0.9
export const NO_LONGER_FULL = 0.8

/** A look at the queue: cheap enough for every submission. */
export function watchQueue(alerts: PoolAlerts, pending: number, maxQueue: number): void {
  if (pending >= maxQueue * NEAR_FULL) {
    if (alerts.has('QUEUE_NEAR_FULL')) return
    alerts.raise('QUEUE_NEAR_FULL', `${pending} of at most ${maxQueue} tasks wait`)
  } else if (pending < maxQueue * NO_LONGER_FULL) alerts.clear('QUEUE_NEAR_FULL')
}

/** What the supervisor and the pool say to the ledger. */
export function watchDispatch(alerts: PoolAlerts, event: SupervisorToLedger | PoolToLedger): void {
  if (event.type === 'pool.failed') alerts.raise('POOL_FAILED', event.error.message)
  if (event.type === 'intake.open') alerts.clear('POOL_FAILED')
  if (!('holder' in event) || event.holder !== 'breaker') return
  if (event.type === 'dispatch.free') alerts.clear('BREAKER_OPEN')
  else alerts.raise('BREAKER_OPEN', 'workers crash too often: no task starts for a moment')
}

/** What the supervisor concludes of memory and disk. */
export function watchMachine(alerts: PoolAlerts, event: SupervisorToPool): void {
  if (event.type === 'disk.changed') {
    if (!event.isLow) return alerts.clear('DISK_LOW')
    return alerts.raise('DISK_LOW', `the disk has ${event.freeBytes} bytes left: no task starts`)
  }
  if (event.type === 'readings.changed') {
    if (!event.areMissing) return alerts.clear('READINGS_MISSING')
    return alerts.raise(
      'READINGS_MISSING',
      'no reading comes: silence, memory and load go unjudged',
    )
  }
  if (event.type !== 'memory.changed') return
  const used = `${Math.round(event.ratio * 100)} % of the memory is used`
  if (event.band !== 'pressure') alerts.clear('MEMORY_PRESSURE')
  if (event.band !== 'critical') alerts.clear('MEMORY_CRITICAL')
  if (event.band === 'pressure') alerts.raise('MEMORY_PRESSURE', used)
  if (event.band === 'critical') alerts.raise('MEMORY_CRITICAL', `${used}: no task starts`)
}

/** Null: a store has been opened anew. */
export function watchStore(
  alerts: PoolAlerts,
  announcer: PoolAnnouncer,
  lost: TroupeError | null,
): void {
  if (lost === null) return alerts.clear('STORE_LOST')
  alerts.raise('STORE_LOST', lost.message)
  announcer.tellStoreLost(lost)
}

/** True when this is news: the reader has just begun to fail. */
export function watchReader(alerts: PoolAlerts, reader: Reader, error: Error | null): boolean {
  const code = `READER_FAILED_${reader.toUpperCase() as Uppercase<Reader>}` as const
  if (error === null) {
    alerts.clear(code)
    return false
  }
  const isNew = !alerts.has(code)
  alerts.raise(code, `cannot read ${reader}: ${error.message}`)
  return isNew
}

export function watchWorker(alerts: PoolAlerts, event: WorkerToPool): void {
  const { slot } = event as { slot: SlotId }
  if (event.type === 'worker.failed') alerts.raise('WORKER_FAILED', event.error.message, slot)
  else if (event.type === 'worker.ready' || event.type === 'worker.stopped') {
    alerts.clear('WORKER_FAILED', slot)
  }
}

/** A worker is replaced or killed. It is an alert when it is so for its own size. */
export function watchSize(
  alerts: PoolAlerts,
  limits: Pick<PoolConfig, 'maxWorkerMemory' | 'maxWorkerMemoryHard'>,
  slot: SlotId,
  bytes: number,
): void {
  const isOver = (limit: number) => limit > 0 && bytes > limit
  const { maxWorkerMemory, maxWorkerMemoryHard } = limits
  if (isOver(maxWorkerMemoryHard)) {
    alerts.raise('WORKER_MEMORY', `${bytes} bytes: killed past ${maxWorkerMemoryHard}`, slot)
  } else if (isOver(maxWorkerMemory)) {
    alerts.raise('WORKER_MEMORY', `${bytes} bytes: replaced past ${maxWorkerMemory}`, slot)
  }
}

/** The process that was too large is gone. */
export function watchExit(alerts: PoolAlerts, event: WorkerToLedger): void {
  if (event.type === 'worker.exited') alerts.clear('WORKER_MEMORY', event.slot)
}
