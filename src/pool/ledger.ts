/** The ledger of a pool: what it decides by, and how its words reach the rest. It never decides. */
import type { ShutdownEvent } from '../../machines/shutdown.ts'
import type { SlotId } from '../../machines/vocabulary.ts'
import type { WorkerEvent } from '../../machines/worker-facts.ts'
import { type LedgerLogic, ledgerLogic } from '../ledger/ledger-logic.ts'
import type { LedgerPorts } from '../ledger/ports.ts'
import type { PoolAnnouncer } from './announcer.ts'
import { orderPolicy } from './policy.ts'
import type { PoolRuntime } from './runtime.ts'
import { LADDER_LIMIT_MS } from '../worker/protocol.ts'

/** What only the runtime can say. */
export interface LedgerVoices {
  readonly announcer: PoolAnnouncer
  readonly slots: NonNullable<LedgerPorts['slots']>
  tellWorker(slot: SlotId, event: WorkerEvent): void
  tellShutdown(event: ShutdownEvent): void
}

export function ledgerOf(runtime: PoolRuntime, voices: LedgerVoices): LedgerLogic {
  const { config } = runtime
  return ledgerLogic(
    {
      seatsPerWorker: config.concurrentTasksPerWorker,
      order: orderPolicy(config),
      cancelGraceMs: config.cancelGrace,
      cacheTtlMs: config.resultCache.ttl,
      isDurable: config.store !== null,
    },
    runtime.defects.guarded(portsOf(runtime, voices)),
  )
}

function portsOf(runtime: PoolRuntime, voices: LedgerVoices): LedgerPorts {
  const { config, workers, world, logger, recorder } = runtime
  const needsBrowser = (name: string) => workers.manifest?.get(name)?.browser === true
  return {
    clock: runtime.clock,
    random: world.random,
    wallMs: world.wallMs,
    deadLetters: runtime.deadLetters,
    resultCache: runtime.resultCache,
    tellWorker: (slot, event) => {
      if (event.type === 'tasks.ended') workers.countEnded(slot, event.count)
      voices.tellWorker(slot, event)
    },
    tellPool: (event) => runtime.tellPool(event),
    tellShutdown: (event) => voices.tellShutdown(event),
    abort: (slot, incarnation, order) => workers.abort({ slot, incarnation }, order),
    slots: voices.slots,
    startMs: (name) => (needsBrowser(name) ? config.startTimeout : 0),
    killAfterMs: (name) => config.cancelGrace + (needsBrowser(name) ? LADDER_LIMIT_MS : 0),
    announce: (news, record) => voices.announcer.tellTask(news, record),
    unexpected: (state, event) => logger.error('UNEXPECTED_EVENT', { actor: 'task', state, event }),
    unkept: ({ id, name }, error) =>
      logger.error('a dead letter or a result could not be kept', { task: id, name, error }),
    storeTroubled: (error) => voices.announcer.tellStore(error),
    occupied: (isOccupied) => runtime.business.occupy(isOccupied),
    halted: () => runtime.destroy(),
    ...(recorder && { step: recorder.tasks.step }),
  }
}
