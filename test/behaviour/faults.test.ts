/**
 * What happens when something dies: a worker, its task, the pool's own process. Counted by the
 * operating system.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { describe, expect, test } from 'vitest'
import { createPoolActor } from '../../src/index.ts'
import { nothingLeft, takeCensus } from '../support/census.ts'
import { nextEvent, PLAIN_TASKS, plainPool } from '../support/pool-under-test.ts'

const HOST = new URL('../fixtures/pool-host.ts', import.meta.url).pathname

async function hears(host: ChildProcess, said: string[], line: string): Promise<void> {
  while (!said.includes(line)) await once(host.stdout as NonNullable<typeof host.stdout>, 'data')
}

async function startHost(
  root: string,
  mode: string,
): Promise<{ host: ChildProcess; said: string[] }> {
  const host = spawn(process.execPath, [HOST, root, mode], { stdio: ['ignore', 'pipe', 'inherit'] })
  const said: string[] = []
  host.stdout
    ?.setEncoding('utf8')
    .on('data', (text: string) => said.push(...text.trim().split('\n')))
  await hears(host, said, 'up')
  return { host, said }
}

describe('a worker that dies', () => {
  test.each<[string, (pid: number) => void]>([
    ['by SIGKILL', (pid) => process.kill(pid, 'SIGKILL')],
    ['by SIGTERM', (pid) => process.kill(pid, 'SIGTERM')],
  ])('%s under a task is back, and the task is done again', async (_, kill) => {
    await using troupe = plainPool()
    const { pool } = troupe
    pool.start()
    const handle = pool.submit('wait', 200)
    await nextEvent(pool as never, 'task.started')
    kill(pool.status().workers[0]?.pid ?? 0)
    expect(await handle.outcome()).toMatchObject({ status: 'succeeded', attempts: 2 })
    expect(pool.status()).toMatchObject({ processesStarted: 2 })
  })

  test.each([0, 9])('by exit code %i counts as lost, too', async (code) => {
    await using troupe = plainPool()
    troupe.pool.start()
    const outcome = await troupe.pool.submit('exit', code, { attempts: 1 }).outcome()
    expect(outcome).toMatchObject({ status: 'failed', error: { code: 'WORKER_LOST' } })
  })

  test('twice by the same task: the task is quarantined, with the reason', async () => {
    await using troupe = plainPool()
    troupe.pool.start()
    const outcome = await troupe.pool.submit('killSelf', 'SIGKILL', { attempts: 10 }).outcome()
    expect(outcome).toMatchObject({
      status: 'failed',
      attempts: 2,
      error: { code: 'WORKER_LOST', message: expect.stringContaining('quarantined') },
    })
    expect(await troupe.pool.run('echo', 'alive')).toBe('alive')
  })

  test('stops no other', async () => {
    await using troupe = plainPool({ workers: 2 })
    const { pool } = troupe
    pool.start()
    const pids = new Set<number>()
    while (pids.size < 2) pids.add((await pool.run('whoami', null)).pid)
    const [first] = pool.status().workers
    const long = pool.submit('wait', 500, { attempts: 1 })
    await nextEvent(pool as never, 'task.started')
    const busy = pool.status().workers.find(({ running }) => running.length > 0)
    const idle = pool.status().workers.find(({ running }) => running.length === 0)
    expect(first).toBeDefined()
    process.kill(idle?.pid ?? 0, 'SIGKILL')
    expect(await long.outcome()).toMatchObject({ status: 'succeeded', worker: busy?.slot })
  })

  test('while not repeatable work ran: the work is not done twice', async () => {
    await using troupe = plainPool()
    const { pool } = troupe
    pool.start()
    const handle = pool.submit('wait', 60_000, { idempotent: false, attempts: 5 })
    await nextEvent(pool as never, 'task.started')
    process.kill(pool.status().workers[0]?.pid ?? 0, 'SIGKILL')
    expect(await handle.outcome()).toMatchObject({
      status: 'failed',
      attempts: 1,
      error: { code: 'WORKER_LOST' },
    })
  })

  test('for a neighbour, while not repeatable work ran: the work is not done twice', async () => {
    await using troupe = plainPool({ concurrentTasksPerWorker: 2 })
    troupe.pool.start()
    const handle = troupe.pool.submit('wait', 60_000, { idempotent: false, attempts: 5 })
    const stuck = troupe.pool.submit('never', null, { timeout: 50, attempts: 1 })
    await stuck.outcome()
    expect(await handle.outcome()).toMatchObject({ attempts: 1, error: { code: 'WORKER_LOST' } })
  })

  test('silent for too long is killed, whatever it does, and its task done again', async () => {
    await using troupe = plainPool({ heartbeatInterval: 50, zombieAfter: 400 })
    const { pool } = troupe
    pool.start()
    const handle = pool.submit('wait', 300)
    await nextEvent(pool as never, 'task.started')
    const exited = nextEvent(pool as never, 'worker.exited')
    process.kill(pool.status().workers[0]?.pid ?? 0, 'SIGSTOP')
    expect(await exited).toMatchObject({ cause: 'silent', exit: { signal: 'SIGKILL' } })
    expect(await handle.outcome()).toMatchObject({ status: 'succeeded', attempts: 2 })
  })

  test('for a neighbour that would not stop, costs the others no attempt', async () => {
    await using troupe = plainPool({ concurrentTasksPerWorker: 2 })
    troupe.pool.start()
    const stuck = troupe.pool.submit('never', null, { timeout: 100, attempts: 1 })
    const neighbour = troupe.pool.submit('wait', 700, { attempts: 1 })
    expect(await stuck.outcome()).toMatchObject({ error: { code: 'TASK_TIMED_OUT' } })
    expect(await neighbour.outcome()).toMatchObject({ status: 'succeeded', attempts: 2 })
  })
})

describe('a worker that is replaced', () => {
  test('after so many tasks, has its successor ready before it goes', async () => {
    await using troupe = plainPool({ maxTasksPerWorker: 5 })
    const { pool } = troupe
    pool.start()
    const reported: string[] = []
    pool.on('worker.ready', ({ incarnation }) => reported.push(`ready ${incarnation}`))
    pool.on('worker.exited', ({ incarnation, cause }) => reported.push(`${cause} ${incarnation}`))
    while (!reported.includes('recycled 2')) await pool.run('whoami', null)
    expect(reported.indexOf('ready 2')).toBeLessThan(reported.indexOf('recycled 1'))
    expect(reported.indexOf('ready 3')).toBeLessThan(reported.indexOf('recycled 2'))
    expect(pool.status().tasks).toMatchObject({ retried: 0, failed: 0 })
  })

  test('at its own wish, ends what it has', async () => {
    await using troupe = plainPool()
    const { pool } = troupe
    pool.start()
    const first = await pool.run('retire', null)
    await nextEvent(pool as never, 'worker.ready')
    expect((await pool.run('whoami', null)).pid).not.toBe(first)
  })
})

describe('a host that ends', () => {
  test('by SIGKILL leaves no process and no folder within two seconds', async () => {
    using census = takeCensus()
    const { host } = await startHost(census.root, 'hold')
    census.look()
    expect(census.seen().length).toBeGreaterThanOrEqual(4)
    host.kill('SIGKILL')
    await nothingLeft(census, { withinMs: 2_000 })
  })

  test('by one SIGINT lets what runs end, and then dies of that signal', async () => {
    using census = takeCensus()
    const { host, said } = await startHost(census.root, 'finish')
    host.kill('SIGINT')
    const [code, signal] = await once(host, 'exit')
    expect({ code, signal }).toEqual({ code: null, signal: 'SIGINT' })
    expect(said).toContain('finished')
    await nothingLeft(census, { withinMs: 2_000 })
  })

  test('by a second signal does not wait', async () => {
    using census = takeCensus()
    const { host, said } = await startHost(census.root, 'hold')
    host.kill('SIGTERM')
    await hears(host, said, 'stopping')
    host.kill('SIGTERM')
    const [, signal] = await once(host, 'exit')
    expect(signal).toBe('SIGTERM')
    expect(said.filter((line) => line === 'cancelled').length).toBe(2)
    await nothingLeft(census, { withinMs: 2_000 })
  })

  test('because it has nothing left to do, ends its pool with it', async () => {
    using census = takeCensus()
    const { host } = await startHost(census.root, 'rest')
    expect(await once(host, 'exit')).toEqual([0, null])
    await nothingLeft(census, { withinMs: 2_000 })
  })

  test('does not end while somebody waits for its pool', async () => {
    using census = takeCensus()
    const { host, said } = await startHost(census.root, 'scale')
    expect(await once(host, 'exit')).toEqual([0, null])
    expect(said).toContain('3')
    await nothingLeft(census, { withinMs: 2_000 })
  })

  test('and left its folder behind, is swept by the next start', async () => {
    using census = takeCensus()
    const { host } = await startHost(census.root, 'hold')
    census.look()
    const guardian = census.seen().find(({ command }) => command.startsWith('/bin/sh'))
    process.kill(guardian?.pid ?? 0, 'SIGKILL')
    host.kill('SIGKILL')
    await once(host, 'exit')
    const pool = createPoolActor({
      tasks: PLAIN_TASKS,
      workers: 1,
      runFolder: census.root,
      logger: 'silent',
      signals: false,
    }).start()
    await pool.run('echo' as never, 1 as never)
    await pool.shutdown()
    await nothingLeft(census, { withinMs: 2_000 })
  })
})
