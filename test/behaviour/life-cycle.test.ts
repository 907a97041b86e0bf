/**
 * The pool's states from outside, with real processes: every way between them, and every way that
 * is refused.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { isTroupeError, type PoolActor } from '../../src/index.ts'
import { nextEvent, plainPool, poolUnderTest } from '../support/pool-under-test.ts'

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'troupe-life-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const whenRunning = (pool: PoolActor<never>) =>
  nextEvent(pool, 'pool.changed', (event) => (event as { state: string }).state === 'running')

describe('a pool', () => {
  test('starts, runs, pauses, resumes, stops, and may start again', async () => {
    await using troupe = plainPool()
    const { pool } = troupe
    const seen: string[] = []
    pool.on('pool.changed', ({ state }) => seen.push(state))
    expect(pool.getSnapshot().status).toBe('active')
    pool.start()
    expect(await pool.run('echo', 1)).toBe(1)
    pool.pause()
    pool.resume()
    await pool.shutdown()
    expect(pool.status().state).toBe('idle')
    pool.send({ type: 'pool.start' })
    expect(await pool.run('echo', 2)).toBe(2)
    expect(seen.join(' ')).toBe('starting running paused running stopping idle starting running')
  })

  test('refuses what its state does not allow, and is unchanged by it', async () => {
    await using troupe = plainPool()
    const { pool } = troupe
    const invalid = (act: () => void) => {
      const before = pool.getSnapshot()
      let reported: unknown
      try {
        act()
      } catch (error) {
        reported = error
      }
      expect(isTroupeError(reported, 'STATE_INVALID')).toBe(true)
      expect(pool.getSnapshot()).toBe(before)
    }
    invalid(() => pool.pause())
    invalid(() => pool.resume())
    invalid(() => pool.recover())
    pool.start()
    await whenRunning(pool as never)
    invalid(() => pool.resume())
    invalid(() => pool.recover())
    pool.pause()
    invalid(() => pool.pause())
  })

  test('refuses tasks before its start and after its end, and hands them back', async () => {
    await using troupe = plainPool()
    const { pool } = troupe
    await expect(pool.run('echo', 1)).rejects.toMatchObject({
      code: 'POOL_CLOSED',
      task: { name: 'echo', payload: 1 },
    })
    pool.start()
    await pool.run('echo', 1)
    await pool.shutdown()
    await expect(pool.run('echo', 2)).rejects.toMatchObject({ code: 'POOL_CLOSED' })
  })

  test('paused, starts nothing, and what runs may end', async () => {
    await using troupe = plainPool()
    const { pool } = troupe
    const file = join(folder, 'paused')
    pool.start()
    const first = pool.submit('waitFor', file)
    await nextEvent(pool as never, 'task.started')
    pool.pause()
    const second = pool.submit('echo', 'after')
    await writeFile(file, 'go')
    expect(await first.result()).toBe('go')
    expect(second.status().state).toBe('queued')
    pool.resume()
    expect(await second.result()).toBe('after')
  })

  test('scales up and down while it works, and lets running tasks end', async () => {
    await using troupe = plainPool()
    const { pool } = troupe
    pool.start()
    await whenRunning(pool as never)
    await pool.scale(3)
    const pids = await Promise.all(
      [1, 2, 3].map(async () => (await pool.run('whoami', null)) as { pid: number }),
    )
    expect(new Set(pids.map(({ pid }) => pid)).size).toBe(3)
    const file = join(folder, 'scaled')
    const held = [1, 2, 3].map(() => pool.submit('waitFor', file))
    while (pool.status().tasks.active < 3) await nextEvent(pool as never, 'task.started')
    const scaled = pool.scale(1)
    await writeFile(file, 'go')
    expect(await Promise.all(held.map((handle) => handle.result()))).toEqual(['go', 'go', 'go'])
    await scaled
    expect(pool.status().workers.map(({ state }) => state)).toEqual([
      'ready.idle',
      'stopped',
      'stopped',
    ])
    await expect(pool.scale(0)).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
    await expect(pool.scale(65)).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
  })

  test('drains: refuses what comes, ends what it has, then accepts again', async () => {
    await using troupe = plainPool({ workers: 2 })
    const { pool } = troupe
    pool.start()
    const file = join(folder, 'drained')
    const handles = Array.from({ length: 20 }, () => pool.submit('waitFor', file))
    await whenRunning(pool as never)
    const drained = pool.drain()
    await expect(pool.run('echo', 1)).rejects.toMatchObject({ code: 'DRAINING' })
    await writeFile(file, 'go')
    await drained
    expect(handles.map((handle) => handle.status().state)).toEqual(Array(20).fill('succeeded'))
    expect(await pool.run('echo', 1)).toBe(1)
  })

  test('shut down with tasks queued, leaves no promise pending', async () => {
    await using troupe = plainPool()
    const { pool } = troupe
    pool.start()
    const running = pool.submit('wait', 50)
    await nextEvent(pool as never, 'task.started')
    const queued = Array.from({ length: 100 }, () => pool.submit('wait', 1_000))
    await pool.shutdown()
    expect((await running.outcome()).status).toBe('succeeded')
    for (const handle of queued) {
      expect(await handle.outcome()).toMatchObject({
        status: 'cancelled',
        error: { code: 'TASK_CANCELLED' },
      })
    }
  })

  test('forced, ends at once whatever its tasks do', async () => {
    await using troupe = plainPool({ workers: 2 })
    const { pool } = troupe
    pool.start()
    const stuck = [pool.submit('never', null), pool.submit('spin', join(folder, 'forced'))]
    await Promise.all([
      nextEvent(pool as never, 'task.started'),
      nextEvent(pool as never, 'task.started'),
    ])
    await pool.shutdown({ force: true })
    for (const handle of stuck) expect((await handle.outcome()).status).toBe('cancelled')
  })

  test('whose task file does not load fails at once, with the file named', async () => {
    const file = join(folder, 'broken.ts')
    await writeFile(file, 'throw new Error("broken on purpose")\n')
    await using troupe = poolUnderTest({ tasks: file, workers: 2 })
    troupe.pool.start()
    await expect(troupe.pool.run('anything' as never, null as never)).rejects.toMatchObject({
      code: 'WORKER_START_FAILED',
      message: expect.stringContaining('broken.ts'),
    })
    expect(troupe.pool.status().state).toBe('error')
    expect(troupe.pool.status().lastError).toContain('broken on purpose')
    troupe.pool.recover()
    expect(troupe.pool.status().state).toBe('idle')
  })

  test('without a browser for its tasks says BROWSER_NOT_FOUND', async () => {
    const tasks = new URL('../fixtures/browser-tasks.ts', import.meta.url)
    await using troupe = poolUnderTest({
      tasks,
      workers: 1,
      browser: { executablePath: join(folder, 'no-such-browser') },
    })
    troupe.pool.start()
    await expect(troupe.pool.run('title' as never, 'about:blank' as never)).rejects.toMatchObject({
      code: 'BROWSER_NOT_FOUND',
    })
  })

  test('stopped as an actor, without a shutdown, still leaves nothing', async () => {
    await using troupe = plainPool({ workers: 2 })
    const { pool } = troupe
    pool.start()
    const handle = pool.submit('never', null)
    await nextEvent(pool as never, 'task.started')
    pool.stop()
    expect((await handle.outcome()).status).toBe('cancelled')
  })
})
