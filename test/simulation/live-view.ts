/** The living pool of a simulation as the shared invariants see a pool: read, never touched. */
import type { AnyMachineSnapshot, AnyActorRef } from 'xstate'
import type { PoolContext } from '../../machines/pool-facts.ts'
import type { SupervisorContext } from '../../machines/supervisor-facts.ts'
import type { WorkerContext } from '../../machines/worker-facts.ts'
import type { PoolView, SlotView } from '../../src/testing/pool-invariants.ts'
import type { Simulation } from '../../src/testing/simulation.ts'
import type { VirtualProcess } from '../../src/testing/virtual-process.ts'

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
  const processes: VirtualProcess[] = []
  for (const process of machine.processes) if (!process.isOrphan) processes.push(process)
  return {
    pool: typeof snapshot.value === 'string' ? snapshot.value : String(Object.keys(snapshot.value)),
    // Not what is asked between any two events, and dear.
    get isDraining() {
      return JSON.stringify(snapshot.value).includes('draining')
    },
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
      const crews = []
      if (current !== null) crews.push(current)
      if (retiree !== null) crews.push(retiree)
      return {
        slot,
        isStopped: (value as { life: unknown }).life === 'stopped',
        crews,
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

/**
 * Whether anything has moved that the view shows: an actor has another snapshot, the ledger has heard
 * something, or there are other processes. What has been judged need not be judged again.
 */
export class Motion {
  readonly #seen: unknown[] = []
  #ledger: AnyActorRef | undefined
  #isLedgerMoved = true
  #isNew = true

  isNew({ pool, runtime, machine }: Simulation): boolean {
    if (!pool || !runtime) return true
    const snapshot = pool.getSnapshot() as AnyMachineSnapshot
    const { ledger, supervisor } = snapshot.children as Readonly<Record<string, AnyActorRef>>
    if (ledger !== this.#ledger) this.#listenTo(ledger)
    this.#isNew = this.#isLedgerMoved
    this.#isLedgerMoved = false
    let at = 0
    this.#look(at++, snapshot)
    this.#look(at++, supervisor?.getSnapshot())
    this.#look(at++, machine.pids)
    this.#look(at++, machine.processes.size)
    for (const worker of runtime.actors.values()) this.#look(at++, worker.getSnapshot())
    return this.#isNew
  }

  #listenTo(ledger: AnyActorRef | undefined): void {
    this.#ledger = ledger
    this.#isLedgerMoved = true
    ledger?.subscribe(() => {
      this.#isLedgerMoved = true
    })
  }

  #look(at: number, now: unknown): void {
    if (this.#seen[at] === now) return
    this.#seen[at] = now
    this.#isNew = true
  }
}
