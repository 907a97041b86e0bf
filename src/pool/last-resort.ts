/**
 * The end of a run in which there was a defect: every process is killed, every task ends with it, the
 * store and the run folder are closed. It goes by no actor's word, and none of its steps can keep
 * another from being taken.
 */
import type { SerializedError, SlotId } from '../../machines/protocol.ts'
import { attemptAll } from '../common/errors.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { PoolAlerts } from './observe/alerts.ts'
import type { Router } from './router.ts'
import type { PoolWatch } from './observe/readings.ts'
import type { PoolWorkers } from './workers.ts'

/** A process that has not died of SIGKILL by then is not waited for. */
const KILL_LIMIT_MS = 3_000

interface RunParts {
  readonly ledger: Ledger | null
  readonly workers: PoolWorkers
  readonly router: Router
  readonly actors: ReadonlyMap<SlotId, unknown>
  readonly alerts: PoolAlerts
  readonly watch: PoolWatch
}

/**
 * The supervisor goes by timers of its own; the shutdown ends runs without a defect, and this one is none
 * of its business any more. Both hear of the end even if the pool's actor cannot send it.
 *
 * `close`: the run folder and the store, once no process is left.
 */
export async function endRun(
  parts: RunParts,
  close: () => Promise<void>,
  error: SerializedError,
): Promise<void> {
  attemptAll([
    () => parts.alerts.raise('POOL_FAILED', error.message),
    () => parts.watch.end(),
    () => parts.router.send('host', 'supervisor', { type: 'pool.closed' }),
    () => parts.router.send('host', 'shutdown', { type: 'run.aborted' }),
    // Lest one starts again what is killed.
    ...[...parts.actors.keys()].flatMap((slot) => [
      () => parts.router.send('host', slot, { type: 'worker.stop' }),
      () =>
        parts.router.send('host', slot, {
          type: 'worker.kill',
          incarnation: null,
          cause: 'stopped',
        }),
    ]),
  ])
  await parts.workers.endAll(KILL_LIMIT_MS)
  attemptAll([() => parts.ledger?.abandon(error)])
  await close()
}
