/** A row of the model as the invariants see a pool. */
import type { AnyMachineSnapshot } from 'xstate'
import type { PoolContext } from '../../machines/pool.setup.ts'
import type { SupervisorContext } from '../../machines/supervisor.setup.ts'
import type { WorkerContext } from '../../machines/worker.setup.ts'
import {
  isAborting,
  ownedBy,
  type PoolView,
  type SlotView,
} from '../../src/testing/pool-invariants.ts'
import { slotName } from './routes.ts'
import { AT, hostAt, type System, workerAt } from './system.ts'

export function viewOf(system: System, row: ArrayLike<number>): PoolView {
  const { plan } = system
  const ledger = system.ledger.at(row[AT.ledger] as number)
  const run = system.run.at(row[AT.run] as number)
  const supervisor = system.supervisor.at(row[AT.supervisor] as number) as AnyMachineSnapshot
  const { crashesMs, starting, launched, waiting } = supervisor.context as SupervisorContext
  const { restarts } = supervisor.value as { restarts: unknown }
  const pool = system.pool.at(row[AT.pool] as number) as AnyMachineSnapshot
  const { serving, spares, alive, ready, warm, failed } = pool.context as PoolContext
  return {
    pool: system.poolValue(row),
    isDraining: JSON.stringify(pool.value).includes('draining'),
    isAborting: isAborting(pool.value),
    shutdown: String(system.shutdown.at(row[AT.shutdown] as number).value),
    breaker: restarts === 'closed' || restarts === 'open' ? restarts : 'halfOpen',
    crashes: crashesMs.length,
    intensity: plan.intensity,
    starting,
    launched,
    waiting,
    maxStarting: plan.maxStarting,
    serving,
    spares,
    alive,
    ready,
    warm,
    failed,
    slots: Array.from({ length: plan.workers }, (_, slot) => slotView(system, row, slot)),
    workers: ledger.workers,
    tasks: ledger.tasks.flatMap(({ isSubmitted, state }, id) =>
      isSubmitted ? [{ id, state }] : [],
    ),
    pending: ledger.isDispatchDue
      ? 'dispatch is due'
      : run.work.length > 0
        ? 'the run folder is at work'
        : null,
  }
}

function slotView(system: System, row: ArrayLike<number>, slot: number): SlotView {
  const worker = system.worker.at(row[workerAt(slot)] as number) as AnyMachineSnapshot
  const context = worker.context as WorkerContext
  const { current, outgoing } = context
  const { life } = worker.value as { life: unknown }
  const { processes } = system.host.at(row[hostAt(slot)] as number)
  return {
    slot: slotName(slot),
    isStopped: life === 'stopped',
    owned: ownedBy(life, context),
    crews: [current, outgoing].filter((crew) => crew !== null),
    processes: processes.map(({ incarnation, phase, isHung, isLeaving, isKilled }) => ({
      incarnation,
      isReady: phase === 'ready',
      isLeaving: isLeaving || isKilled || isHung,
    })),
  }
}
