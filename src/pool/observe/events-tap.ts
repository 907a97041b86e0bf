/** Which messages become events for the pool's listeners and lines of its log. */
import type { EventReporter } from './event-reporter.ts'
import type { Tap } from '../router.ts'

export function eventsTap(reporter: EventReporter): Tap {
  return {
    name: 'events',
    ledger: (event) => {
      if (event.type === 'worker.exited') reporter.reportWorkerExited(event)
    },
    pool: (event) => {
      if (event.type === 'worker.failed') reporter.reportWorkerFailed(event.slot, event.error)
      if (event.type === 'memory.changed') reporter.sendMemory(event)
    },
    worker: (slot, event) => {
      if (event.type !== 'worker.kill' || event.cause !== 'silent') return
      if (event.incarnation !== null)
        reporter.reportSilent({ slot, incarnation: event.incarnation })
    },
  }
}
