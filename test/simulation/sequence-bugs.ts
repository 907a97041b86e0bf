/**
 * Bugs a pool might have, each planted on its own in the real one. Sequences of commands must find every
 * one of them, and fast-check must shrink what it finds to a few commands.
 */
import { isTroupeError } from '../../src/common/errors.ts'
import { Dependencies } from '../../src/ledger/task/dependencies.ts'
import { Ledger } from '../../src/ledger/ledger.ts'
import type { TaskRecord } from '../../src/ledger/task/record.ts'
import { PoolClient } from '../../src/pool/client.ts'
import { RunLifecycle } from '../../src/pool/host/run-lifecycle.ts'
import type { TaskHandle, TaskOptions } from '../../src/api/task.ts'
import { PoolWatch } from '../../src/pool/observe/readings.ts'
import { PoolWorkers } from '../../src/pool/workers.ts'
import { deafTo, replace, reportsEndsTwice } from './pool-bugs.ts'

interface SequenceBug {
  readonly name: string
  /** What is said of it. */
  readonly reported: RegExp
  /** Returns how it is taken out again. */
  plant(): () => void
}

export const sequenceBugs: readonly SequenceBug[] = [
  {
    name: 'the end of a task is told twice',
    reported: /accepted 1 times and ended 2 times|tasks have \w+, and \d+ were told/,
    plant: reportsEndsTwice,
  },
  {
    name: 'a cancel is forgotten',
    reported: /was cancelled and is/,
    plant: () => deafTo((event) => event.type === 'task.cancel'),
  },
  {
    name: 'a pause does not hold the dispatch',
    reported: /a task was started while the pool is paused/,
    plant: () => deafTo((event) => event.type === 'dispatch.hold' && event.holder === 'pool'),
  },
  {
    name: 'a resume does not free it',
    reported: /not at rest after|never settles/,
    plant: () => deafTo((event) => event.type === 'dispatch.free' && event.holder === 'pool'),
  },
  {
    name: 'a pool that is shut down takes tasks',
    reported: /submit was taken; expected (POOL_CLOSED|DRAINING)/,
    plant: () => replace(PoolClient.prototype, 'submit', takesEverything),
  },
  {
    name: 'a task whose parent failed is forgotten',
    reported: /waits, and a task before it fell/,
    plant: () =>
      replace(
        Dependencies.prototype,
        'note',
        (real) =>
          function (this: Dependencies, record: TaskRecord) {
            if (record.state === 'succeeded') real.call(this, record)
          },
      ),
  },
  {
    name: 'a timer is left behind',
    reported: /left after the shutdown: .*(timers|monitors)/,
    plant: () => replace(PoolWatch.prototype, 'end', () => () => undefined),
  },
  {
    name: 'the run folder is left behind',
    reported: /left after the shutdown: .*runFolders/,
    plant: () => replace(RunLifecycle.prototype, 'close', () => () => Promise.resolve()),
  },
  {
    name: 'the tasks of a lost process are forgotten',
    reported: /the ledger keeps capacity of a process|never settles|have not ended|the ledger \d/,
    plant: () => deafTo((event) => event.type === 'worker.exited'),
  },
  {
    name: 'a drain is never over',
    reported: /the pool drains and nothing is left/,
    plant: () => deafTo((event) => event.type === 'intake.drain'),
  },
  {
    name: 'a limit of a group is not heard',
    reported: /tasks of group \w run, and \d may/,
    plant: () => deafTo((event) => event.type === 'group.limited'),
  },
  {
    name: 'an id may be in use twice',
    reported: /submit was taken; expected CONFIG_INVALID/,
    plant: () => replace(Ledger.prototype, 'has', () => () => false),
  },
  {
    name: 'the promise of a run is forgotten',
    reported: /run \(promise \d+\) never settles/,
    plant: () =>
      replace(
        PoolClient.prototype,
        'run',
        (real) =>
          async function (this: PoolClient, ...task) {
            await real.apply(this, task)
            return new Promise(() => undefined)
          },
      ),
  },
  {
    name: 'a killed process has a successor without a start permit',
    reported: /a process was started (without a start permit|while the shutdown is)/,
    plant: () =>
      replace(
        PoolWorkers.prototype,
        'kill',
        (real) =>
          function (this: PoolWorkers, id) {
            real.call(this, id)
            if (id.incarnation < 100) this.fork({ ...id, incarnation: id.incarnation + 100 })
          },
      ),
  },
]

/** What is refused because the pool is closed is taken all the same, and nobody keeps it. */
function takesEverything(real: PoolClient['submit']): PoolClient['submit'] {
  return function (this: PoolClient, name: string, payload: unknown, options?: TaskOptions) {
    try {
      return real.call(this, name, payload, options)
    } catch (error) {
      if (!isTroupeError(error) || !['POOL_CLOSED', 'DRAINING'].includes(error.code)) throw error
      const { id = 'nobody' } = options ?? {}
      const status = () => ({ taskId: id, name, state: 'queued', attempt: 0 })
      return { id, status, cancel: () => true } as unknown as TaskHandle
    }
  }
}
