/**
 * Which task goes to which process, and when: the queue, the places, and who holds dispatch back.
 * Rounds are told to each process once. The only tasks it ends are those no worker can ever run.
 */
import type { TaskEvent } from '../../../machines/task.setup.ts'
import type { SerializedError, SlotId } from '../../../machines/protocol.ts'
import type { WorkerToLedger } from '../../../machines/worker-messages.ts'
import { orderOf } from './assignment.ts'
import { SlotCapabilities, type Wanted } from './capabilities.ts'
import { DEFAULT_ORDER } from '../../config/order-plan.ts'
import type { LedgerPolicy, LedgerPorts } from '../ports.ts'
import { Queue } from '../queue/queue.ts'
import type { TaskRecord } from '../task/record.ts'
import type { KnownTasks } from '../queue/requirement-classes.ts'
import type { RequirementClass } from '../queue/queue-lists.ts'
import { type WorkerCapacity, WorkerCapacities } from './worker-capacity.ts'
import { MAX_SESSION_FAILURES, SessionRouting } from './session-routing.ts'

type Ports = Pick<LedgerPorts, 'clock' | 'sendWorker' | 'slots'>
type Exit = Extract<WorkerToLedger, { type: 'worker.exited' }>
/** Moves a task by its machine. */
export type Step = (record: TaskRecord, event: TaskEvent) => void

export class Dispatch {
  readonly queue: Queue
  readonly workers: WorkerCapacities
  readonly offers: SlotCapabilities
  readonly sessions: SessionRouting
  readonly #tasksPerWorker: number
  readonly #holders = new Set<string>()
  readonly #ports: Ports
  readonly #step: Step
  readonly #due: () => void
  readonly #isAnswered: (record: TaskRecord) => boolean
  readonly #isMeasuring: boolean
  readonly #hasRoom = (demand: RequirementClass) => this.workers.hasRoom(demand)
  #isDue = false
  #isHalted = false

  /**
   * `due` asks for a round, through the door of the ledger's actor. `isAnswered` says that a task's
   * result has become known while it waited.
   */
  constructor(
    policy: LedgerPolicy,
    ports: Ports,
    step: Step,
    due: () => void,
    isAnswered: (record: TaskRecord) => boolean,
  ) {
    const order = policy.order ?? DEFAULT_ORDER
    this.queue = new Queue({ ...order, nowMs: () => ports.clock.nowMs() })
    this.workers = new WorkerCapacities(order.strategy)
    this.offers = new SlotCapabilities(order.capabilities, () => ports.slots?.() ?? null)
    const { queue, workers, offers } = this
    const want = () => this.want()
    this.sessions = new SessionRouting(
      { queue, workers, offers, want },
      ports,
      policy.tasksPerWorker,
    )
    this.#tasksPerWorker = policy.tasksPerWorker
    this.#isMeasuring = order.strategy === 'adaptive'
    this.#ports = ports
    this.#step = step
    this.#due = due
    this.#isAnswered = isAnswered
  }

  hold(holder: string): void {
    this.#holders.add(holder)
  }

  free(holder: string): void {
    this.#holders.delete(holder)
    this.want()
  }

  /** After a defect: nobody else holds it, for whoever did may have been lost with its word. */
  holdAlone(holder: string): void {
    this.#holders.clear()
    this.#holders.add(holder)
  }

  halt(): void {
    this.#isHalted = true
    this.rest()
  }

  /** Why no worker can ever run such a task; null when one can. */
  refusal(wanted: Wanted): string | null {
    return this.offers.refusal(wanted, this.queue.demands.known)
  }

  /** No task is left to wait for anything. */
  rest(): void {
    this.sessions.rest()
  }

  open(slot: SlotId, incarnation: number): void {
    const session = this.sessions.opened({ slot, incarnation })
    const offer = { session, capabilities: this.offers.of(slot) }
    const nowMs = this.#ports.clock.nowMs()
    this.workers.open(slot, incarnation, this.#tasksPerWorker, offer, nowMs)
    this.want()
  }

  exited(event: Exit): void {
    const session = this.sessions.exited(event)
    if (this.sessions.isNeeded) this.want()
    if (session === null) return
    const what = `the session ${session} could not be opened ${MAX_SESSION_FAILURES} times in a row`
    const error = { code: 'WORKER_START_FAILED', message: what }
    const isMeant = (demand: RequirementClass) => demand.session === session
    this.#fail(isMeant, event.error === null ? error : { ...error, cause: event.error })
  }

  limit(group: string, limit: number): void {
    this.queue.setLimit(group, limit)
    this.want()
  }

  /** The task file is known: what it does not declare will never run. */
  learn(known: KnownTasks): void {
    this.queue.learn(known)
    this.review()
  }

  /** What workers there are has changed: what could run may not be able to any more. */
  review(): void {
    for (const demand of this.queue.demands.all) demand.refusal = undefined
    this.want()
  }

  /** A round will come once everything that is due now has been dealt with. */
  want(): void {
    if (this.#isDue) return
    this.#isDue = true
    this.#ports.clock.defer(() => {
      if (!this.#isHalted) this.#due()
    })
  }

  /** Gives out what can start now. */
  round(): void {
    this.#isDue = false
    this.#refuse()
    if (this.#holders.size > 0) return
    const nowMs = this.#ports.clock.nowMs()
    const used = new Set<WorkerCapacity>()
    for (let worker = this.#assign(nowMs); worker !== null; worker = this.#assign(nowMs))
      used.add(worker)
    for (const worker of used) {
      const { slot, incarnation, outbox: tasks } = worker
      worker.outbox = []
      this.#ports.sendWorker(slot, { type: 'tasks.assigned', incarnation, tasks })
    }
    this.sessions.balance()
  }

  /** The place has the task no longer. */
  release(worker: WorkerCapacity, record: TaskRecord): void {
    worker.leave(record)
    if (this.queue.leave(record)) this.want()
  }

  /** So long did it take, when it went well. */
  measure(worker: WorkerCapacity, { startedAtMs }: TaskRecord): void {
    if (this.#isMeasuring) worker.measure(this.#ports.clock.nowMs() - startedAtMs)
  }

  /** Ends what no worker can ever run. */
  #refuse(): void {
    for (const demand of this.queue.open) {
      if (demand.refusal === undefined) {
        demand.refusal = this.refusal(demand)
      }
    }
    const refused = this.queue.open.filter(({ refusal }) => refusal !== null)
    for (const demand of refused) {
      const error = { code: 'CONFIG_INVALID', message: demand.refusal ?? '' }
      this.#fail((other) => other === demand, error)
    }
  }

  #fail(isMeant: (demand: RequirementClass) => boolean, error: SerializedError): void {
    for (const record of this.queue.tasksOn(isMeant)) {
      this.#step(record, { type: 'pool.failed', error: { ...error, retryable: false } })
    }
  }

  /** Gives the next task to whom it is for; null when none can start. */
  #assign(nowMs: number): WorkerCapacity | null {
    for (;;) {
      const groupQueue = this.queue.next(this.#hasRoom)
      const worker = groupQueue === null ? null : this.workers.choose(groupQueue, this.queue.open)
      if (groupQueue === null || worker === null) return null
      const record = worker.favourite(groupQueue) ?? (groupQueue.head as TaskRecord)
      if (record.options.cache === undefined || !this.#isAnswered(record)) {
        this.#give(record, worker, groupQueue.head !== record, nowMs)
        return worker
      }
      this.#step(record, { type: 'result.found' })
    }
  }

  #give(record: TaskRecord, worker: WorkerCapacity, isOutOfTurn: boolean, nowMs: number): void {
    worker.take(record, isOutOfTurn)
    this.queue.take(record)
    record.startedAtMs = nowMs
    this.#step(record, { type: 'attempt.assigned' })
    worker.outbox.push({ taskId: record.id, attempt: record.attempt, order: orderOf(record) })
  }
}
