/**
 * Which process can take how many tasks, and which it has. A place belongs to one incarnation: words
 * that name another have no effect. While a slot is recycled, two of its processes have places; only
 * the open one gets new tasks.
 */
import {
  DEFAULT_SESSION,
  MAX_AFFINITY_STREAK,
  meanAfter,
  strategies,
  type Strategy,
  type StrategyName,
  type WorkerLoad,
} from '../../../machines/order-policy.ts'
import type { Assignment, SlotId } from '../../../machines/protocol.ts'
import { MapCompactor } from '../../common/map-compactor.ts'
import type { GroupQueue, WorkerOffer, RequirementClass } from '../queue/queue-lists.ts'
import type { TaskRecord } from '../task/record.ts'

const NO_CAPABILITIES: ReadonlySet<string> = new Set()
const PLAIN: WorkerOffer = { session: DEFAULT_SESSION, capabilities: NO_CAPABILITIES }

export class WorkerCapacity implements WorkerLoad, WorkerOffer {
  readonly slot: SlotId
  readonly incarnation: number
  readonly capacity: number
  readonly session: string
  readonly capabilities: ReadonlySet<string>
  /** When its session was opened to tasks. */
  readonly openedAtMs: number
  tasks = new Set<TaskRecord>()
  isOpen = true
  /** It has had a task. */
  hasWorked = false
  /** Assigned in this round, not yet sent. */
  outbox: Assignment[] = []
  /** What its last task with an affinity had, and how many of those it took out of their turn. */
  affinity: string | null = null
  streak = 0
  meanMs = 0
  samples = 0
  readonly #compactor = new MapCompactor()

  constructor(
    slot: SlotId,
    incarnation: number,
    capacity: number,
    offer: WorkerOffer,
    nowMs: number,
  ) {
    this.slot = slot
    this.incarnation = incarnation
    this.capacity = capacity
    this.session = offer.session
    this.capabilities = offer.capabilities
    this.openedAtMs = nowMs
  }

  get used(): number {
    return this.tasks.size
  }

  get free(): number {
    return this.isOpen ? this.capacity - this.tasks.size : 0
  }

  /** The task it should rather have than the first of this line: one like its last. */
  favourite({ affinityLists, head }: GroupQueue): TaskRecord | null {
    if (affinityLists === null || this.affinity === null) return null
    const alike = affinityLists.get(this.affinity)?.head ?? null
    return alike === head || this.streak < MAX_AFFINITY_STREAK ? alike : null
  }

  leave(record: TaskRecord): void {
    this.tasks.delete(record)
    if (this.#compactor.isOver(this.tasks.size)) this.tasks = new Set(this.tasks)
  }

  take(record: TaskRecord, isOutOfTurn: boolean): void {
    this.tasks.add(record)
    this.hasWorked = true
    record.worker = this
    this.streak = isOutOfTurn ? this.streak + 1 : 0
    if (record.options.affinity !== undefined) this.affinity = record.options.affinity
  }

  /** How long a task has taken it. */
  measure(runMs: number): void {
    this.meanMs = meanAfter(this, runMs)
    this.samples = Math.min(this.samples + 1, Number.MAX_SAFE_INTEGER)
  }
}

const hasRoom = (worker: WorkerCapacity) => worker.free > 0

export class WorkerCapacities {
  #workers: WorkerCapacity[] = []
  #open: WorkerCapacity[] = []
  /** Where the next round begins, so that every worker gets its turn. */
  #turn = 0
  readonly #strategy: Strategy

  constructor(strategy: StrategyName = 'roundRobin') {
    this.#strategy = strategies[strategy]
  }

  /** Seats that take tasks, used ones included. */
  get capacity(): number {
    return this.#open.reduce((sum, worker) => sum + worker.capacity, 0)
  }

  get used(): number {
    return this.#open.reduce((sum, worker) => sum + worker.tasks.size, 0)
  }

  find(slot: SlotId, incarnation: number): WorkerCapacity | null {
    return (
      this.#workers.find((worker) => worker.slot === slot && worker.incarnation === incarnation) ??
      null
    )
  }

  all(): readonly WorkerCapacity[] {
    return this.#workers
  }

  open(slot: SlotId, incarnation: number, capacity: number, offer = PLAIN, nowMs = 0): void {
    const worker = new WorkerCapacity(slot, incarnation, capacity, offer, nowMs)
    this.#workers.push(worker)
    this.#open.push(worker)
  }

  close(slot: SlotId, incarnation: number): void {
    const worker = this.find(slot, incarnation)
    if (worker === null) return
    worker.isOpen = false
    this.#open = this.#open.filter((other) => other !== worker)
  }

  /** Takes the place away. Its tasks are the caller's to end. */
  remove(slot: SlotId, incarnation: number): WorkerCapacity | null {
    const worker = this.find(slot, incarnation)
    this.close(slot, incarnation)
    this.#workers = this.#workers.filter((other) => other !== worker)
    return worker
  }

  /** Whether a task of this route could start now. */
  hasRoom(demand: RequirementClass): boolean {
    // Asked for every task: an iterator each time would be felt.
    for (let i = 0; i < this.#open.length; i++) {
      const worker = this.#open[i] as WorkerCapacity
      if (worker.free > 0 && demand.fits(worker)) return true
    }
    return false
  }

  /** The next open place with room, by the strategy; null when all are taken. */
  next(isFit: (worker: WorkerCapacity) => boolean = hasRoom): WorkerCapacity | null {
    const index = this.#strategy(this.#open, this.#turn, isFit)
    if (index === -1) return null
    this.#turn = (index + 1) % this.#open.length
    return this.#open[index] as WorkerCapacity
  }

  /**
   * Who gets the next task of a line: who had one like it, else one with the least to do for others
   * (`open` are the routes on which tasks wait), by the strategy.
   */
  choose(groupQueue: GroupQueue, open: readonly RequirementClass[]): WorkerCapacity | null {
    const isPlain =
      open.length === 1 && groupQueue.bucket.demand.isPlain && groupQueue.affinityLists === null
    return isPlain ? this.next() : this.#chooseFitting(groupQueue, open)
  }

  #chooseFitting(groupQueue: GroupQueue, open: readonly RequirementClass[]): WorkerCapacity | null {
    const { demand } = groupQueue.bucket
    const isFit = (worker: WorkerCapacity) => worker.free > 0 && demand.fits(worker)
    if (groupQueue.affinityLists !== null) {
      const worker = this.next((one) => isFit(one) && one.favourite(groupQueue) !== null)
      if (worker !== null) return worker
    }
    if (open.length === 1) return this.next(isFit)
    const claims = new Map<WorkerCapacity, number>()
    for (const worker of this.#open) {
      if (isFit(worker)) claims.set(worker, open.filter((other) => other.fits(worker)).length)
    }
    const least = Math.min(...claims.values())
    return this.next((worker) => claims.get(worker) === least)
  }
}
