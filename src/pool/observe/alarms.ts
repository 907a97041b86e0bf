/**
 * The alerts of what no message tells of: the queue, the store, the readers. Those of messages are in
 * observe/alerts-tap.ts.
 */
import type { TroupeError } from '../../common/errors.ts'
import type { Reader } from '../../monitor/readers.ts'
import type { PoolAlerts } from './alerts.ts'
import type { EventReporter } from './event-reporter.ts'

/** The queue is near full from this share of `maxQueue` on, and no longer below the second. */
const NEAR_FULL = 0.9
const NO_LONGER_FULL = 0.8

/** A look at the queue: cheap enough for every submission. */
export function watchQueue(alerts: PoolAlerts, pending: number, maxQueue: number): void {
  if (pending >= maxQueue * NEAR_FULL) {
    if (alerts.has('QUEUE_NEAR_FULL')) return
    alerts.raise('QUEUE_NEAR_FULL', `${pending} of at most ${maxQueue} tasks wait`)
  } else if (pending < maxQueue * NO_LONGER_FULL) alerts.clear('QUEUE_NEAR_FULL')
}

/** Null: a store has been opened anew. */
export function watchStore(
  alerts: PoolAlerts,
  reporter: EventReporter,
  lost: TroupeError | null,
): void {
  if (lost === null) return alerts.clear('STORE_LOST')
  alerts.raise('STORE_LOST', lost.message)
  reporter.sendStoreLost(lost)
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
