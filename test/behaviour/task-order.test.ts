/** Order, fairness and requirements through a whole pool: who runs what, and how many at once. */
import { expect, test } from 'vitest'
import type { PoolStatus } from '../../src/index.ts'
import { plainPool } from '../support/pool-under-test.ts'

/** ms; long enough for two tasks to overlap if they may. */
const A_WHILE = 20
/** On a busy machine. */
const READY_WITHIN_MS = 30_000

const allReady = (pool: { status(): PoolStatus }) =>
  expect.poll(() => pool.status().state, { timeout: READY_WITHIN_MS }).toBe('running')

test('a group never runs more tasks at once than it may, and its limit can be changed', async () => {
  await using troupe = plainPool({ concurrentTasksPerWorker: 8, groupConcurrency: { acme: 2 } })
  const { pool } = troupe
  pool.start()
  const most: number[] = []
  pool.on('task.started', () => most.push(pool.groupUsage('acme').active))
  const round = () =>
    Promise.all(Array.from({ length: 8 }, () => pool.run('wait', A_WHILE, { group: 'acme' })))
  await round()
  expect(Math.max(...most)).toBe(2)
  pool.setGroupLimit('acme', 4)
  await round()
  expect(Math.max(...most)).toBe(4)
  expect(pool.groupUsage('acme')).toEqual({ group: 'acme', queued: 0, active: 0, limit: 4 })
})

test('groups take turns, and the status says what each has', async () => {
  await using troupe = plainPool()
  const { pool } = troupe
  pool.start()
  await pool.run('echo', null)
  pool.pause()
  const order: (string | undefined)[] = []
  const submit = (group: string) => pool.submit('echo', group, { group })
  const handles = ['a', 'a', 'a', 'a', 'b', 'b', 'c'].map(submit)
  for (const handle of handles) {
    void handle.result().then((group) => order.push(group as string))
  }
  await expect.poll(() => pool.status().groups.count).toBe(3)
  expect(pool.status().groups.usage).toContainEqual({ group: 'a', queued: 4, active: 0, limit: 0 })
  pool.resume()
  await Promise.all(handles.map((handle) => handle.outcome()))
  expect(order.join('')).toBe('abcabaa')
  expect(pool.status().groups).toEqual({ count: 0, usage: [] })
})

test('a task runs where its requirements are met, also after that worker was lost', async () => {
  await using troupe = plainPool({
    workers: 2,
    capabilities: { 'worker-2': ['vpn'] },
    restart: { minBackoff: 10 },
  })
  const { pool } = troupe
  pool.start()
  const workers = async () => {
    const handles = Array.from({ length: 6 }, () =>
      pool.submit('wait', A_WHILE, { requires: ['vpn'] }),
    )
    return Promise.all(handles.map(async (handle) => (await handle.outcome()).worker))
  }
  expect(new Set(await workers())).toEqual(new Set(['worker-2']))
  const { pid } = pool.status().workers.find(({ slot }) => slot === 'worker-2') ?? {}
  process.kill(pid as number, 'SIGKILL')
  expect(new Set(await workers())).toEqual(new Set(['worker-2']))
})

test('what no worker can do is refused by name, and what none can do any more fails', async () => {
  await using troupe = plainPool({ workers: 2, capabilities: { 'worker-2': ['vpn'] } })
  const { pool } = troupe
  pool.start()
  await allReady(pool)
  const task = { name: 'echo', payload: 1 }
  await expect(pool.run('echo', 1, { requires: ['gpu'] })).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    message: 'requires: no worker has "gpu"; there are: vpn',
    task,
  })
  await expect(pool.run('echo', 1, { session: 'shop' })).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    message: 'session: there is no session "shop"; these are: default',
    task,
  })
  pool.pause()
  const waiting = pool.submit('echo', 1, { requires: ['vpn'] })
  await pool.scale(1)
  await expect(waiting.result()).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
  expect(() => pool.submit('echo', 1, { requires: ['vpn'] })).toThrow(/no worker has all of vpn/)
})

test('a session that is not there fails a task that came before the task file was known', async () => {
  await using troupe = plainPool()
  const { pool } = troupe
  const early = pool.start().submit('echo', 1, { session: 'shop' })
  await expect(early.result()).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    message: 'session: there is no session "shop"; these are: default',
  })
})

test('bad limits are refused', async () => {
  await using troupe = plainPool()
  const { pool } = troupe
  pool.start()
  expect(() => pool.setGroupLimit('', 1)).toThrow(/group: must be a string of 1 to 256 characters/)
  expect(() => pool.setGroupLimit('a', -1)).toThrow(/limit: must be a whole number from 0/)
})

test.each(['roundRobin', 'leastLoaded', 'adaptive'] as const)(
  'every task ends with the strategy %s, on every worker',
  async (strategy) => {
    await using troupe = plainPool({ workers: 2, concurrentTasksPerWorker: 2, strategy })
    const { pool } = troupe
    pool.start()
    await allReady(pool)
    const workers = new Set<unknown>()
    for await (const { worker, status } of pool.map(
      'wait',
      Array.from({ length: 40 }, () => 1),
    )) {
      expect(status).toBe('succeeded')
      workers.add(worker)
    }
    expect(workers).toEqual(new Set(['worker-1', 'worker-2']))
  },
)
