/**
 * Bugs a ledger might have, each planted on its own: in the structures the real ledger is built of,
 * or between it and the world. The game must find every one of them; a game that does not is no
 * test.
 */
import { vi } from 'vitest'
import { Attempts } from '../../src/ledger/dispatch/attempts.ts'
import { BoundedMap } from '../../src/common/bounded-map.ts'
import { Counts } from '../../src/ledger/task/counts.ts'
import { MemoryDeadLetters } from '../../src/ledger/results/dead-letters.ts'
import { Deduplication } from '../../src/ledger/results/deduplication.ts'
import { Dependencies } from '../../src/ledger/task/dependencies.ts'
import type { AttemptReport } from '../../src/process/ipc/protocol.ts'
import type { LedgerPorts } from '../../src/ledger/ports.ts'
import { Queue } from '../../src/ledger/queue/queue.ts'
import type { TaskRecord } from '../../src/ledger/task/record.ts'
import { MemoryResultCache } from '../../src/ledger/results/result-cache.ts'
import { type WorkerCapacity, WorkerCapacities } from '../../src/ledger/dispatch/worker-capacity.ts'
import { TimerHeap } from '../../src/ledger/task/timer-heap.ts'
import type { Fault, ScenarioEvent } from './ledger-scenario.ts'

const LATE_MS = 3
const TOO_MUCH_CAPACITY = 4

/** The ledger never hears of this. */
const deaf =
  (name: string, type: ScenarioEvent['type']): (() => Fault) =>
  () => ({ name, event: (event) => (event.type === type ? null : event) })
const changed =
  (name: string, change: (ports: LedgerPorts) => Partial<LedgerPorts>) => (): Fault => ({
    name,
    ports: (ports) => ({ ...ports, ...change(ports) }),
  })
const nothing = () => {}

/** Each makes its fault anew, for it may keep what it has seen. */
export const plantedFaults: readonly (() => Fault)[] = [
  deaf('a process that exited is forgotten', 'worker.exited'),
  deaf('a closed process still gets tasks', 'worker.closed'),
  deaf('a hold does not hold', 'dispatch.hold'),
  deaf('a cancel is not heard', 'task.cancel'),
  deaf('a failed pool lets its tasks wait', 'pool.failed'),
  deaf('a shutdown leaves what waits', 'intake.close'),
  () => ({ name: 'a place too many', policy: { tasksPerWorker: TOO_MUCH_CAPACITY } }),
  believesOldAttempts,
  believesOldIncarnations,
  changed('timers are late', ({ clock }) => ({
    clock: {
      nowMs: () => clock.nowMs(),
      after: (ms, callback) => clock.after(ms + LATE_MS, callback),
      defer: (callback) => clock.defer(callback),
    },
  })),
  losesEveryThirdDispatch,
  changed('nothing is aborted', () => ({ abort: nothing })),
  changed('the drain is never over', () => ({ sendPool: nothing })),
  changed('the calm is told twice', ({ sendShutdown }) => ({
    sendShutdown: (event) => {
      sendShutdown(event)
      sendShutdown(event)
    },
  })),
  changed('an end is told twice', ({ report }) => ({
    report: (events, record) => {
      report(events, record)
      if (events === 'ended') report(events, record)
    },
  })),
  changed('a process past its grace is not killed', ({ sendWorker }) => ({
    sendWorker: (slot, event) => event.type !== 'worker.kill' && sendWorker(slot, event),
  })),
]

/** Plants a bug in the code itself. Returns how it is taken out again. */
interface PlantedBug {
  readonly name: string
  readonly plant: () => () => void
}

function replace<T extends object>(where: T, method: keyof T & string, by: unknown): () => void {
  const spy = vi.spyOn(where, method as never).mockImplementation(by as never)
  return () => spy.mockRestore()
}

const { pushBack, pushFront, remove } = Queue.prototype
const { move } = Counts.prototype
const { update } = TimerHeap.prototype

export const plantedBugs: readonly PlantedBug[] = [
  {
    name: 'the newest starts first',
    plant: () => replace(Queue.prototype, 'pushBack', pushFront),
  },
  {
    name: 'what was released goes to the back',
    plant: () => replace(Queue.prototype, 'pushFront', pushBack),
  },
  {
    name: 'a task that leaves the queue takes the next one with it',
    plant: () =>
      replace(Queue.prototype, 'remove', function (this: Queue, record: TaskRecord) {
        const { next } = record
        remove.call(this, record)
        if (next !== null) remove.call(this, next)
      }),
  },
  {
    name: 'a task that runs is not counted as active',
    plant: () =>
      replace(Counts.prototype, 'move', function (this: Counts, from: string, to: string) {
        if (to !== 'assigned') move.call(this, from, to)
      }),
  },
  {
    name: 'a place is never full',
    plant: () =>
      replace(
        WorkerCapacities.prototype,
        'next',
        function (this: WorkerCapacities): WorkerCapacity | null {
          return this.all().find(({ isOpen }) => isOpen) ?? null
        },
      ),
  },
  {
    name: 'a timer that was set is not moved',
    plant: () =>
      replace(TimerHeap.prototype, 'update', function (this: TimerHeap, record: TaskRecord) {
        const isSet = record.heapIndex !== -1 && record.timerAtMs + record.deadlineAtMs > 0
        if (!isSet) update.call(this, record)
      }),
  },
]

const { link, note: noteEnded } = Dependencies.prototype
const { settle } = Deduplication.prototype
const { get, put } = MemoryResultCache.prototype
const { report: hearReports } = Attempts.prototype

/** Of tasks that have to do with each other, and of what is kept of the ended. */
export const plantedFlowBugs: readonly PlantedBug[] = [
  {
    name: 'a child does not wait for a parent',
    plant: () =>
      replace(Dependencies.prototype, 'link', function (this: Dependencies, record: TaskRecord) {
        link.call(this, record)
        record.blockers = 0
      }),
  },
  {
    name: 'a child waits for ever for a parent that had ended',
    plant: () => replace(Dependencies.prototype, 'settleEnded', nothing),
  },
  {
    name: 'the children of a cancelled parent hear nothing',
    plant: () =>
      replace(Dependencies.prototype, 'note', function (this: Dependencies, record: TaskRecord) {
        if (record.state !== 'cancelled') noteEnded.call(this, record)
      }),
  },
  {
    name: 'only one generation hears of a failure',
    plant: () =>
      replace(Dependencies.prototype, 'note', function (this: Dependencies, record: TaskRecord) {
        if (record.error?.code !== 'DEPENDENCY_FAILED') noteEnded.call(this, record)
      }),
  },
  {
    name: 'a failed task stands in the way of the next with its key',
    plant: () =>
      replace(
        Deduplication.prototype,
        'settle',
        function (this: Deduplication, record: TaskRecord) {
          if (record.state === 'succeeded') settle.call(this, record)
        },
      ),
  },
  {
    name: 'a success is forgotten by its key at once',
    plant: () => replace(BoundedMap.prototype, 'put', () => false),
  },
  {
    name: 'a result is kept for ever',
    plant: () =>
      replace(
        MemoryResultCache.prototype,
        'put',
        function (this: MemoryResultCache, key: string, value: unknown) {
          put.call(this, key, value, 0)
        },
      ),
  },
  {
    name: 'one result answers every key',
    plant: () =>
      replace(
        MemoryResultCache.prototype,
        'get',
        function (this: MemoryResultCache, _: string, now: number) {
          return get.call(this, 'noop\na', now)
        },
      ),
  },
  {
    name: 'the failed are not kept',
    plant: () => replace(MemoryDeadLetters.prototype, 'add', nothing),
  },
  {
    name: 'what was sent again stays a dead letter',
    plant: () => replace(MemoryDeadLetters.prototype, 'delete', () => true),
  },
  {
    name: 'what the handler says is not worth it is tried again',
    plant: () =>
      replace(Attempts.prototype, 'report', function (this: Attempts, event: AttemptsReported) {
        hearReports.call(this, { ...event, reports: event.reports.map(withoutName) })
      }),
  },
]

type AttemptsReported = Parameters<Attempts['report']>[0]

/** As if any failure were one that every task names. */
function withoutName(said: AttemptReport): AttemptReport {
  if (said.kind !== 'ended' || said.error?.code !== 'TASK_FAILED') return said
  return { ...said, error: { ...said.error, name: 'OTHER' } }
}

function believesOldAttempts(): Fault {
  const records = new Map<string, TaskRecord>()
  return {
    name: 'words of an older attempt count',
    event: (event) => {
      if (event.type === 'task.submitted') records.set(event.record.id, event.record)
      if (event.type !== 'attempts.reported') return event
      const reports = event.reports.map((report) => ({
        ...report,
        attempt: records.get(report.taskId)?.attempt ?? report.attempt,
      }))
      return { ...event, reports }
    },
  }
}

function believesOldIncarnations(): Fault {
  const newest = new Map<string, number>()
  return {
    name: 'words of another incarnation count',
    event: (event) => {
      if (event.type === 'worker.opened') newest.set(event.slot, event.incarnation)
      if (event.type !== 'attempts.reported') return event
      return { ...event, incarnation: newest.get(event.slot) ?? event.incarnation }
    },
  }
}

function losesEveryThirdDispatch(): Fault {
  let count = 0
  return {
    name: 'a dispatch gets lost',
    event: (event) => (event.type === 'dispatch.due' && ++count % 3 === 0 ? null : event),
  }
}
