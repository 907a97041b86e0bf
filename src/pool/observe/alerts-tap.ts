/**
 * Which messages raise an alert and which clear it: the pool in error, the breaker, memory, disk,
 * readings, workers that failed for good or grew too large. It keeps nothing: what is wrong now
 * stands in the alerts.
 */
import type { PoolEvent } from '../../../machines/pool.setup.ts'
import type { SlotId } from '../../../machines/protocol.ts'
import type { PoolConfig } from '../../config/parse.ts'
import type { LedgerEvent } from '../../ledger/events.ts'
import type { PoolAlerts } from './alerts.ts'
import type { Tap } from '../router.ts'

interface AlertSources {
  readonly alerts: PoolAlerts
  readonly limits: Pick<PoolConfig, 'maxWorkerMemory' | 'maxWorkerMemoryHard'>
  /** Bytes of the larger one of a slot's processes. */
  largestOf(slot: SlotId): number
}

export function alertsTap({ alerts, limits, largestOf }: AlertSources): Tap {
  return {
    name: 'alerts',
    ledger: (event) => dispatchAlerts(alerts, event),
    pool: (event) => poolAlerts(alerts, event),
    worker: (slot, event, from) => {
      if (from !== 'supervisor') return
      const isForSize = event.type === 'worker.kill' && event.cause === 'memory'
      if (event.type === 'worker.recycle' || isForSize) {
        sizeAlert(alerts, limits, slot, largestOf(slot))
      }
    },
  }
}

function dispatchAlerts(alerts: PoolAlerts, event: LedgerEvent): void {
  switch (event.type) {
    case 'pool.failed':
      return alerts.raise('POOL_FAILED', event.error.message)
    case 'intake.open':
      return alerts.clear('POOL_FAILED')
    case 'dispatch.free':
      if (event.holder === 'breaker') alerts.clear('BREAKER_OPEN')
      return
    case 'dispatch.hold': {
      if (event.holder !== 'breaker') return
      return alerts.raise('BREAKER_OPEN', 'workers crash too often: no task starts for a moment')
    }
    case 'worker.exited':
      return alerts.clear('WORKER_MEMORY', event.slot)
    default:
  }
}

function poolAlerts(alerts: PoolAlerts, event: PoolEvent): void {
  switch (event.type) {
    case 'worker.failed':
      return alerts.raise('WORKER_FAILED', event.error.message, event.slot)
    case 'worker.ready':
    case 'worker.stopped':
      return alerts.clear('WORKER_FAILED', event.slot)
    case 'disk.changed': {
      if (!event.isLow) return alerts.clear('DISK_LOW')
      return alerts.raise('DISK_LOW', `the disk has ${event.freeBytes} bytes left: no task starts`)
    }
    case 'readings.changed': {
      if (!event.areMissing) return alerts.clear('READINGS_MISSING')
      const message = 'no reading comes: silence, memory and load go unjudged'
      return alerts.raise('READINGS_MISSING', message)
    }
    case 'memory.changed': {
      const used = `${Math.round(event.ratio * 100)} % of the memory is used`
      if (event.band !== 'pressure') alerts.clear('MEMORY_PRESSURE')
      if (event.band !== 'critical') alerts.clear('MEMORY_CRITICAL')
      if (event.band === 'pressure') alerts.raise('MEMORY_PRESSURE', used)
      if (event.band === 'critical') alerts.raise('MEMORY_CRITICAL', `${used}: no task starts`)
      return
    }
    default:
  }
}

/** A worker is replaced or killed: an alert when it is so for its own size. */
function sizeAlert(
  alerts: PoolAlerts,
  { maxWorkerMemory, maxWorkerMemoryHard }: AlertSources['limits'],
  slot: SlotId,
  bytes: number,
): void {
  const isOver = (limit: number) => limit > 0 && bytes > limit
  if (isOver(maxWorkerMemoryHard)) {
    alerts.raise('WORKER_MEMORY', `${bytes} bytes: killed past ${maxWorkerMemoryHard}`, slot)
  } else if (isOver(maxWorkerMemory)) {
    alerts.raise('WORKER_MEMORY', `${bytes} bytes: replaced past ${maxWorkerMemory}`, slot)
  }
}
