/**
 * G1, G3, G5 with real processes: what cannot be sent to a worker costs that worker's process, not the
 * pool. First seen with `for (const job of jobs) job.done = pool.run('echo', job)`, whose payload holds
 * a promise by the time it is sent.
 */
import { describe, expect, test } from 'vitest'
import { realWorld, type World } from '../../src/pool/host/world.ts'
import { InProcessWorker } from '../../src/process/in-process-worker.ts'
import type { Order } from '../../src/process/ipc/protocol.ts'
import type { WorkerHandle } from '../../src/process/worker-handle.ts'
import { nextEvent, plainPool } from '../support/pool-under-test.ts'

/** What no pipe can carry. */
const UNSENDABLE = { done: Promise.resolve() }

/** The machine, with something in `spoils` orders that cannot be sent. */
function spoiling(world: World, spoils: (order: Order) => boolean): World {
  const spoiled = (orders: readonly Order[]) =>
    orders.map((order) => (spoils(order) ? ({ ...order, payload: UNSENDABLE } as Order) : order))
  return {
    ...world,
    fork: (init, events) => {
      const worker = world.fork(init, events)
      const { send, sendNow } = worker
      return Object.assign(worker, {
        send: (...orders: Order[]) => send.apply(worker, spoiled(orders)),
        sendNow: (orders: readonly Order[]) => sendNow.call(worker, spoiled(orders)),
      } satisfies Partial<WorkerHandle>)
    },
  }
}

function inProcess(): World {
  const world = realWorld()
  return { ...world, fork: (init, events) => new InProcessWorker(init, events, world.clock) }
}

describe.each([
  ['in processes of their own', realWorld],
  ['in the pool’s own process', inProcess],
] as const)('workers %s', (_, make) => {
  test('a payload that cannot be sent fails its task, and the others run', async () => {
    const world = spoiling(make(), (order) => order.kind === 'run' && order.payload === 'spoil me')
    await using made = plainPool({ workers: 2, task: { backoff: { delay: 1 } } }, world)
    const pool = made.pool.start()
    const spoiled = pool.run('echo', 'spoil me')
    const others = ['a', 'b', 'c', 'd'].map((payload) => pool.run('echo', payload))
    await expect(spoiled).rejects.toMatchObject({ code: 'WORKER_LOST' })
    await expect(Promise.all(others)).resolves.toEqual(['a', 'b', 'c', 'd'])
    expect(pool.status().state).not.toBe('error')
    const begunMs = performance.now()
    await pool.shutdown()
    expect(performance.now() - begunMs).toBeLessThan(5_000)
  })

  test('an abort that cannot be sent ends the process, and the task has stopped', async () => {
    const world = spoiling(make(), (order) => order.kind === 'abort')
    await using made = plainPool({ workers: 1 }, world)
    const pool = made.pool.start()
    const started = nextEvent(pool, 'task.started')
    const task = pool.submit('wait', 60_000)
    await started
    task.cancel()
    await expect(task.outcome()).resolves.toMatchObject({ status: 'cancelled' })
    await expect(pool.run('echo', 'after')).resolves.toBe('after')
  })
})
