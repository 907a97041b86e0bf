/** Which messages become events for the pool's listeners and lines of its log. */
import type { PoolAnnouncer } from '../announcer.ts'
import type { Tap } from '../router.ts'

export function eventsTap(announcer: PoolAnnouncer): Tap {
  return {
    name: 'events',
    ledger: (event) => {
      if (event.type === 'worker.exited') announcer.tellWorkerExited(event)
    },
    pool: (event) => {
      if (event.type === 'worker.failed') announcer.tellWorkerFailed(event.slot, event.error)
      if (event.type === 'memory.changed') announcer.tellMemory(event)
    },
    worker: (slot, event) => {
      if (event.type !== 'worker.kill' || event.cause !== 'silent') return
      if (event.incarnation !== null) announcer.tellSilent({ slot, incarnation: event.incarnation })
    },
  }
}
