/** The living pool of a simulation as the shared invariants see a pool: read, never touched. */
import type { AnyMachineSnapshot, AnyActorRef } from 'xstate'
import type { PoolContext } from '../../machines/pool-facts.ts'
import type { SupervisorContext } from '../../machines/supervisor-facts.ts'
import type { WorkerContext } from '../../machines/worker-facts.ts'
import type { PoolView, SlotView } from '../../src/testing/pool-invariants.ts'
import type { Simulation } from '../../src/testing/simulation.ts'

export function liveView({ pool, runtime, machine }: Simulation): PoolView | null {
  const ledger = runtime?.ledger
  if (!pool || !runtime || !ledger) return null
  const snapshot = pool.getSnapshot() as AnyMachineSnapshot
  if (snapshot.status !== 'active') return null
  const { serving, spares, alive, ready, warm, failed } = snapshot.context as PoolContext
  const children = snapshot.children as Readonly<Record<string, AnyActorRef>>
  const supervisor = children['supervisor']?.getSnapshot() as AnyMachineSnapshot
  const shutdown = children['shutdown']?.getSnapshot() as AnyMachineSnapshot
  const { crashesMs, starting, waiting, policy } = supervisor.context as SupervisorContext
  const { restarts } = supervisor.value as { restarts: unknown }
  const seats = ledger.seats.all()
  const processes = [...machine.processes].filter(({ isOrphan }) => !isOrphan)
  return {
    pool: typeof snapshot.value === 'string' ? snapshot.value : String(Object.keys(snapshot.value)),
    isDraining: JSON.stringify(snapshot.value).includes('draining'),
    shutdown: String(shutdown.value),
    breaker: restarts === 'closed' || restarts === 'open' ? restarts : 'halfOpen',
    crashes: crashesMs.length,
    intensity: policy.intensity,
    starting,
    waiting,
    maxStarting: policy.maxStarting,
    serving,
    spares,
    alive,
    ready,
    warm,
    failed,
    slots: [...runtime.actors].map(([slot, worker]): SlotView => {
      const { value, context } = worker.getSnapshot() as AnyMachineSnapshot
      const { current, retiree } = context as WorkerContext
      return {
        slot,
        isStopped: (value as { life: unknown }).life === 'stopped',
        crews: [current, retiree].filter((crew) => crew !== null),
        processes: processes
          .filter(({ birth }) => birth.slot === slot)
          .map(({ birth, life }) => ({
            incarnation: birth.incarnation,
            isReady: current?.incarnation === birth.incarnation,
            isLeaving: life !== 'living',
          })),
      }
    }),
    seats: seats.map(({ slot, incarnation, tasks }) => ({
      slot,
      incarnation,
      tasks: [...tasks].map(({ id }) => id),
    })),
    tasks: seats.flatMap(({ tasks }) => [...tasks].map(({ id, state }) => ({ id, state }))),
    pending: null,
  }
}
