/** The ledger of a pool: what it decides by, and how its words reach the rest. It never decides. */
import { type LedgerLogic, ledgerLogic } from '../ledger/ledger-logic.ts'
import type { LedgerPorts } from '../ledger/ports.ts'
import type { Clock } from '../common/clock.ts'
import { orderPolicy } from './policy.ts'
import { ESCALATION_LIMIT_MS } from '../process/ipc/protocol.ts'
import type { PoolConfig } from '../config/parse.ts'
import type { Logger } from '../common/logger.ts'
import type { World } from './host/world.ts'
import type { Router } from './router.ts'
import type { PendingWork } from './host/pending-work.ts'
import type { PoolWorkers } from './workers.ts'
import type { Recorder } from '../inspect/recorder.ts'
import type { DeadLetters } from '../ledger/results/dead-letters.ts'
import type { ResultCache } from '../ledger/results/result-cache.ts'
import type { Defects } from './defects.ts'
import type { EventReporter } from './observe/event-reporter.ts'

type Slots = NonNullable<LedgerPorts['slots']>

/** What it takes of the pool it belongs to. */
interface LedgerHost {
  readonly config: PoolConfig
  readonly logger: Logger
  readonly world: World
  readonly clock: Clock
  readonly router: Router
  readonly pendingWork: PendingWork
  readonly workers: PoolWorkers
  readonly recorder: Recorder | null
  readonly deadLetters: DeadLetters
  readonly resultCache: ResultCache
  readonly defects: Defects
  readonly reporter: EventReporter
  destroy(): void
}

export function ledgerOf(runtime: LedgerHost, slots: Slots): LedgerLogic {
  const { config } = runtime
  return ledgerLogic(
    {
      tasksPerWorker: config.concurrentTasksPerWorker,
      order: orderPolicy(config),
      cancelGraceMs: config.cancelGrace,
      cacheTtlMs: config.resultCache.ttl,
      isDurable: config.store !== null,
    },
    runtime.defects.guarded(portsOf(runtime, slots)),
  )
}

function portsOf(runtime: LedgerHost, slots: Slots): LedgerPorts {
  const { reporter, config, workers, world, logger, recorder, router } = runtime
  const needsBrowser = (name: string) => workers.manifest?.get(name)?.browser === true
  return {
    clock: runtime.clock,
    random: world.random,
    wallMs: world.wallMs,
    deadLetters: runtime.deadLetters,
    resultCache: runtime.resultCache,
    sendWorker: (slot, event) => router.send('ledger', slot, event),
    sendPool: (event) => router.send('ledger', 'pool', event),
    sendShutdown: (event) => router.send('ledger', 'shutdown', event),
    abort: (slot, incarnation, order) => workers.abort({ slot, incarnation }, order),
    slots,
    startMs: (name) => (needsBrowser(name) ? config.startTimeout : 0),
    killAfterMs: (name) => config.cancelGrace + (needsBrowser(name) ? ESCALATION_LIMIT_MS : 0),
    report: (event, record) => reporter.reportTask(event, record),
    unexpected: (state, event) => logger.error('UNEXPECTED_EVENT', { actor: 'task', state, event }),
    unkept: ({ id, name }, error) =>
      logger.error('a dead letter or a result could not be kept', { task: id, name, error }),
    storeTroubled: (error) => reporter.reportStore(error),
    occupied: (isOccupied) => runtime.pendingWork.occupy(isOccupied),
    halted: () => runtime.destroy(),
    ...(recorder && { step: recorder.tasks.step }),
  }
}
