/** The living pool of a simulation as the shared invariants see a pool: read, never touched. */
import type { AnyMachineSnapshot, AnyActorRef } from 'xstate'
import type { PoolContext } from '../../machines/pool.setup.ts'
import type { SupervisorContext } from '../../machines/supervisor.setup.ts'
import type { WorkerContext } from '../../machines/worker.setup.ts'
import type { PoolRuntime } from '../../src/pool/runtime.ts'
import type { Ledger } from '../../src/ledger/ledger.ts'
import type { WorkerCapacity } from '../../src/ledger/dispatch/worker-capacity.ts'
import {
  type CrewView,
  isAborting,
  ownedBy,
  type PoolView,
  type ProcessView,
  type CapacityView,
  type SlotView,
  type TaskView,
} from '../../src/testing/pool-invariants.ts'
import type { Simulation } from '../../src/testing/simulation/simulation.ts'
import type { VirtualMachine } from '../../src/testing/simulation/virtual-machine.ts'

/** What is asked between any two events is there at once, the rest when it is asked for. */
class LiveView implements PoolView {
  readonly pending = null
  readonly slots: readonly SlotView[]
  readonly workers: readonly CapacityView[]
  /** Those that run: all others are the ledger's own. */
  readonly tasks: readonly TaskView[]
  readonly #pool: AnyMachineSnapshot
  readonly #supervisor: AnyMachineSnapshot

  constructor(pool: AnyMachineSnapshot, runtime: PoolRuntime, slots: readonly SlotView[]) {
    this.#pool = pool
    this.#supervisor = childOf(pool, 'supervisor')
    this.slots = slots
    this.workers = workersOf((runtime.ledger as Ledger).workers.all())
    this.tasks = tasksOf((runtime.ledger as Ledger).workers.all())
  }

  get #context(): PoolContext {
    return this.#pool.context as PoolContext
  }

  get #starts(): SupervisorContext {
    return this.#supervisor.context as SupervisorContext
  }

  get pool(): string {
    const { value } = this.#pool
    return typeof value === 'string' ? value : String(Object.keys(value))
  }

  get isDraining(): boolean {
    return JSON.stringify(this.#pool.value).includes('draining')
  }

  get isAborting(): boolean {
    return isAborting(this.#pool.value)
  }

  get shutdown(): string {
    return String(childOf(this.#pool, 'shutdown').value)
  }

  get breaker(): PoolView['breaker'] {
    const { restarts } = this.#supervisor.value as { restarts: unknown }
    return restarts === 'closed' || restarts === 'open' ? restarts : 'halfOpen'
  }

  get crashes(): number {
    return this.#starts.crashesMs.length
  }

  get intensity(): number {
    return this.#starts.policy.intensity
  }

  get starting(): readonly string[] {
    return this.#starts.starting
  }

  get launched(): readonly string[] {
    return this.#starts.launched
  }

  get waiting(): readonly string[] {
    return this.#starts.waiting
  }

  get maxStarting(): number {
    return this.#starts.policy.maxStarting
  }

  get serving(): readonly string[] {
    return this.#context.serving
  }

  get spares(): readonly string[] {
    return this.#context.spares
  }

  get alive(): readonly string[] {
    return this.#context.alive
  }

  get ready(): readonly string[] {
    return this.#context.ready
  }

  get warm(): readonly string[] {
    return this.#context.warm
  }

  get failed(): readonly string[] {
    return this.#context.failed
  }
}

/** Null before there is a pool, and once its actor has ended. */
export function liveView(simulation: Simulation, slots = new SlotViews()): PoolView | null {
  const { pool, runtime, machine } = simulation
  if (!pool || !runtime?.ledger) return null
  const snapshot = pool.getSnapshot() as AnyMachineSnapshot
  if (snapshot.status !== 'active') return null
  return new LiveView(snapshot, runtime, slots.of(runtime, machine))
}

function childOf({ children }: AnyMachineSnapshot, id: string): AnyMachineSnapshot {
  return (children as Readonly<Record<string, AnyActorRef>>)[
    id
  ]?.getSnapshot() as AnyMachineSnapshot
}

interface Kept {
  readonly snapshot: AnyMachineSnapshot
  readonly motion: number
  readonly view: SlotView
}

/** The slots as they are, each put together anew only when its worker or a process has moved. */
export class SlotViews {
  readonly #kept = new Map<string, Kept>()

  of(runtime: PoolRuntime, machine: VirtualMachine): readonly SlotView[] {
    const { motion } = machine
    const slots: SlotView[] = []
    for (const [slot, worker] of runtime.actors) {
      const snapshot = worker.getSnapshot() as AnyMachineSnapshot
      let kept = this.#kept.get(slot)
      if (kept?.snapshot !== snapshot || kept.motion !== motion) {
        kept = { snapshot, motion, view: slotOf(slot, snapshot, machine) }
        this.#kept.set(slot, kept)
      }
      slots.push(kept.view)
    }
    return slots
  }
}

function slotOf(
  slot: string,
  { value, context }: AnyMachineSnapshot,
  { processes }: VirtualMachine,
): SlotView {
  const { current, outgoing } = context as WorkerContext
  const crews: CrewView[] = []
  if (current !== null) crews.push(current)
  const own: ProcessView[] = []
  for (const process of processes) {
    const { init, life } = process
    if (init.slot !== slot || process.isOrphan) continue
    const { incarnation } = init
    const isReady = current?.incarnation === incarnation
    own.push({ incarnation, isReady, isLeaving: life !== 'living' })
  }
  const { life, outgoing: leaving } = value as { life: unknown; outgoing: unknown }
  if (outgoing !== null) {
    // One whose fork threw never was: it is killed until its exit is told, and serves nobody.
    const wasForked = own.some(({ incarnation }) => incarnation === outgoing.incarnation)
    if (wasForked || leaving !== 'killing') crews.push(outgoing)
  }
  const owned = ownedBy(life, context as WorkerContext)
  return { slot, isStopped: life === 'stopped', crews, owned, processes: own }
}

function workersOf(workers: readonly WorkerCapacity[]): CapacityView[] {
  const views: CapacityView[] = []
  for (const { slot, incarnation, tasks } of workers) {
    const ids: string[] = []
    for (const { id } of tasks) ids.push(id)
    views.push({ slot, incarnation, tasks: ids })
  }
  return views
}

function tasksOf(workers: readonly WorkerCapacity[]): TaskView[] {
  const views: TaskView[] = []
  for (const { tasks } of workers) for (const { id, state } of tasks) views.push({ id, state })
  return views
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
    this.#look(at++, machine.motion)
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
