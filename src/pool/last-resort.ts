/**
 * The end of a run in which there was a defect: every process is killed, every task ends with it, the
 * store and the run folder are closed. It goes by no actor's word, and none of its steps can keep
 * another from being taken.
 */
import type { AnyActorRef } from 'xstate'
import type { ErrorFacts } from '../../machines/vocabulary.ts'
import { attemptAll } from '../errors.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { PoolAlerts } from './alerts.ts'
import type { PoolWatch } from './watch.ts'
import type { PoolWorkers } from './workers.ts'

/** A process that has not died of SIGKILL by then is not waited for. */
const KILL_LIMIT_MS = 3_000

export interface RunParts {
  readonly ledger: Ledger | null
  readonly workers: PoolWorkers
  readonly actors: ReadonlyMap<string, AnyActorRef>
  readonly alerts: PoolAlerts
  readonly watch: PoolWatch
}

/**
 * The supervisor goes by timers of its own; the shutdown ends runs without a defect, and this one is none
 * of its business any more. Both hear of the end even if the pool's actor cannot tell them.
 */
export type RunActors = readonly [supervisor: AnyActorRef | null, shutdown: AnyActorRef | null]

/**
 * `close`: the run folder and the store, once no process is left.
 */
export async function endRun(
  parts: RunParts,
  [supervisor, shutdown]: RunActors,
  close: () => Promise<void>,
  error: ErrorFacts,
): Promise<void> {
  attemptAll([
    () => parts.alerts.raise('POOL_FAILED', error.message),
    () => parts.watch.end(),
    () => supervisor?.send({ type: 'pool.closed' }),
    () => shutdown?.send({ type: 'run.aborted' }),
    // Lest one starts again what is killed.
    ...[...parts.actors.values()].flatMap((actor) => [
      () => actor.send({ type: 'worker.stop' }),
      () => actor.send({ type: 'worker.kill', incarnation: null, cause: 'stopped' }),
    ]),
  ])
  await parts.workers.endAll(KILL_LIMIT_MS)
  attemptAll([() => parts.ledger?.abandon(error)])
  await close()
}
