/**
 * Bugs an order of tasks might have, each planted on its own in what the real ledger is built of. The
 * game must find every one of them; a game that does not is no test.
 */
import { vi } from 'vitest'
import type { OrderPolicy } from '../../src/config/order-plan.ts'
import {
  Group,
  GroupQueue,
  type WorkerOffer,
  RequirementClass,
} from '../../src/ledger/queue/queue-lists.ts'
import { Queue } from '../../src/ledger/queue/queue.ts'
import type { TaskRecord } from '../../src/ledger/task/record.ts'
import { WorkerCapacity, WorkerCapacities } from '../../src/ledger/dispatch/worker-capacity.ts'
import { SessionRouting } from '../../src/ledger/dispatch/session-routing.ts'

interface OrderBug {
  readonly name: string
  /** What the ledger is told instead of its options. */
  readonly order?: Partial<OrderPolicy>
  /** Plants the bug in the code itself. Returns how it is taken out again. */
  readonly plant?: () => () => void
}

function replace<T extends object>(where: T, method: keyof T & string, by: unknown): () => void {
  const spy = vi.spyOn(where, method as never).mockImplementation(by as never)
  return () => spy.mockRestore()
}

const { take, leave, pushFront, pushBack, setLimit } = Queue.prototype
const { remove } = GroupQueue.prototype
const { favourite } = WorkerCapacity.prototype
const { choose, opened } = SessionRouting.prototype

export const orderBugs: readonly OrderBug[] = [
  { name: 'nothing ages', order: { ageingMs: 0 } },
  { name: 'everything ages too fast', order: { ageingMs: 1 } },
  { name: 'groups have no limit', order: { groupConcurrency: 0 } },
  { name: 'every worker can do everything', order: { capabilities: ['vpn', 'print'] } },
  { name: 'it is another strategy', order: { strategy: 'leastLoaded' } },
  { name: 'it is always round-robin', order: { strategy: 'roundRobin' } },
  {
    name: 'a limit is one too high',
    plant: () => {
      const spy = vi.spyOn(Group.prototype, 'isFull', 'get')
      spy.mockImplementation(function (this: Group) {
        return this.limit !== 0 && this.active > this.limit
      })
      return () => spy.mockRestore()
    },
  },
  {
    name: 'a group at its limit never goes on',
    plant: () =>
      replace(Queue.prototype, 'leave', function (this: Queue, record: TaskRecord) {
        const { group } = record.groupQueue as GroupQueue
        if (!group.isSuspended) return leave.call(this, record)
        group.active--
        return false
      }),
  },
  {
    name: 'a changed limit waits for the next task',
    plant: () =>
      replace(Queue.prototype, 'setLimit', function (this: Queue, name: string, limit: number) {
        if (limit === 0) this.groups.setLimit(name, limit)
        else setLimit.call(this, name, limit)
      }),
  },
  {
    name: 'a group keeps its turn',
    plant: () =>
      replace(Queue.prototype, 'take', function (this: Queue, record: TaskRecord) {
        const { group } = record.groupQueue as GroupQueue
        if (group === this.groups.solo || group.limit > 0) return take.call(this, record)
        group.active++
        return undefined
      }),
  },
  {
    name: 'what was released goes to the back',
    plant: () => replace(Queue.prototype, 'pushFront', pushBack),
  },
  {
    name: 'the newest starts first',
    plant: () => replace(Queue.prototype, 'pushBack', pushFront),
  },
  {
    name: 'a task that left is still alike',
    plant: () =>
      replace(GroupQueue.prototype, 'remove', function (this: GroupQueue, record: TaskRecord) {
        const { affinityNode } = record
        record.affinityNode = null
        remove.call(this, record)
        record.affinityNode = affinityNode
      }),
  },
  {
    name: 'a worker has never enough of one affinity',
    plant: () =>
      replace(
        WorkerCapacity.prototype,
        'favourite',
        function (this: WorkerCapacity, groupQueue: GroupQueue) {
          this.streak = 0
          return favourite.call(this, groupQueue)
        },
      ),
  },
  {
    name: 'affinities are forgotten',
    plant: () => replace(WorkerCapacity.prototype, 'favourite', () => null),
  },
  {
    name: 'a requirement is overlooked',
    plant: () =>
      replace(
        RequirementClass.prototype,
        'fits',
        function (this: RequirementClass, { session }: WorkerOffer) {
          return this.session === null || this.session === session
        },
      ),
  },
  {
    name: 'a session is overlooked',
    plant: () =>
      replace(
        RequirementClass.prototype,
        'fits',
        function (this: RequirementClass, { capabilities }: WorkerOffer) {
          return this.requires.every((capability) => capabilities.has(capability))
        },
      ),
  },
  {
    name: 'the worker that others need is taken first',
    plant: () =>
      replace(
        WorkerCapacities.prototype,
        'choose',
        function (this: WorkerCapacities, { bucket }: GroupQueue) {
          return this.next((worker) => worker.free > 0 && bucket.demand.fits(worker))
        },
      ),
  },
  {
    name: 'nobody makes way for a session',
    plant: () => replace(SessionRouting.prototype, 'balance', () => {}),
  },
  {
    name: 'who makes way opens what it held before',
    plant: () =>
      replace(SessionRouting.prototype, 'choose', function (this: SessionRouting, id: never) {
        choose.call(this, id)
        return 'default'
      }),
  },
  {
    name: 'an opened process is thought to be on its way for ever',
    plant: () =>
      replace(SessionRouting.prototype, 'opened', function (this: SessionRouting, id: never) {
        const session = opened.call(this, id)
        choose.call(this, id)
        return session
      }),
  },
]
