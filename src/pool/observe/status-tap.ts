/** Which messages change what `status()` says, and when the monitor begins and ends. */
import type { Tap } from '../router.ts'
import type { PoolWatch } from './readings.ts'
import type { PoolWorkers } from '../workers.ts'

export function statusTap(workers: PoolWorkers, watch: PoolWatch): Tap {
  return {
    name: 'status',
    pool: (event) => {
      if (event.type === 'worker.failed') {
        workers.factsOf(event.slot).lastError = event.error.message
      } else if (event.type === 'worker.lost') watch.noteLost(event.slot)
      else if (event.type === 'health.changed') watch.health = event.health
      else if (event.type === 'memory.changed') watch.band = event.band
    },
    supervisor: (event) => {
      if (event.type === 'pool.opened') watch.begin()
      if (event.type === 'pool.closed') watch.end()
    },
    // The ledger has taken so many ends from a process of that slot: one reported twice counts once.
    worker: (slot, event) => {
      if (event.type === 'tasks.ended') workers.factsOf(slot).tasksExecuted += event.count
    },
  }
}
