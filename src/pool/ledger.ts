/** The ledger of a pool: what it decides by, and how its words reach the rest. It never decides. */
import { type LedgerLogic, ledgerLogic } from '../ledger/ledger-logic.ts'
import type { LedgerPorts } from '../ledger/ports.ts'
import { orderPolicy } from './policy.ts'
import type { PoolRuntime } from './runtime.ts'
import { LADDER_LIMIT_MS } from '../worker/protocol.ts'

type Slots = NonNullable<LedgerPorts['slots']>

export function ledgerOf(runtime: PoolRuntime, slots: Slots): LedgerLogic {
  const { config } = runtime
  return ledgerLogic(
    {
      seatsPerWorker: config.concurrentTasksPerWorker,
      order: orderPolicy(config),
      cancelGraceMs: config.cancelGrace,
      cacheTtlMs: config.resultCache.ttl,
      isDurable: config.store !== null,
    },
    runtime.defects.guarded(portsOf(runtime, slots)),
  )
}

function portsOf(runtime: PoolRuntime, slots: Slots): LedgerPorts {
  const { announcer, config, workers, world, logger, recorder, router } = runtime
  const needsBrowser = (name: string) => workers.manifest?.get(name)?.browser === true
  return {
    clock: runtime.clock,
    random: world.random,
    wallMs: world.wallMs,
    deadLetters: runtime.deadLetters,
    resultCache: runtime.resultCache,
    tellWorker: (slot, event) => router.send('ledger', slot, event),
    tellPool: (event) => router.send('ledger', 'pool', event),
    tellShutdown: (event) => router.send('ledger', 'shutdown', event),
    abort: (slot, incarnation, order) => workers.abort({ slot, incarnation }, order),
    slots,
    startMs: (name) => (needsBrowser(name) ? config.startTimeout : 0),
    killAfterMs: (name) => config.cancelGrace + (needsBrowser(name) ? LADDER_LIMIT_MS : 0),
    announce: (news, record) => announcer.tellTask(news, record),
    unexpected: (state, event) => logger.error('UNEXPECTED_EVENT', { actor: 'task', state, event }),
    unkept: ({ id, name }, error) =>
      logger.error('a dead letter or a result could not be kept', { task: id, name, error }),
    storeTroubled: (error) => announcer.tellStore(error),
    occupied: (isOccupied) => runtime.business.occupy(isOccupied),
    halted: () => runtime.destroy(),
    ...(recorder && { step: recorder.tasks.step }),
  }
}
