/** A pool with a durable store, from outside: what survives, who may open it, how it says no. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { PoolOptions } from '../../src/index.ts'
import { mountDisk } from '../chaos/small-disk.ts'
import { nextEvent, plainPool } from '../support/pool-under-test.ts'

let folder = ''
let path = ''

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'troupe-store-'))
  path = join(folder, 'pool.db')
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const durablePool = (options: Partial<PoolOptions> = {}) => plainPool({ store: path, ...options })
const DISK_MB = 4

describe('a pool with a durable store', () => {
  test('goes on with what its predecessor left, and tells who listens or asks', async () => {
    const payload = new Map([['when', new Date(5)]])
    {
      await using troupe = durablePool()
      const { pool } = troupe
      pool.start()
      // Its workers are only starting, so it has to wait.
      const handle = pool.submit('echo', payload, { id: 'later', metadata: { of: 'me' } })
      await pool.shutdown()
      const outcome = await handle.outcome()
      expect(outcome).toMatchObject({ status: 'cancelled', error: { code: 'TASK_CANCELLED' } })
      expect(outcome.status === 'cancelled' && outcome.error.message).toContain('the store keeps')
    }
    await using troupe = durablePool()
    const { pool } = troupe
    pool.start()
    const reported = nextEvent(pool as never, 'task.succeeded')
    const handle = await pool.find('later')
    expect(await handle?.outcome()).toMatchObject({ status: 'succeeded', value: payload, payload })
    expect(await reported).toMatchObject({ taskId: 'later', metadata: { of: 'me' }, attempts: 1 })
    const ended = await pool.find('later')
    expect(await ended?.outcome()).toMatchObject({ status: 'succeeded', worker: 'worker-1' })
    expect(await ended?.result()).toEqual(payload)
    expect(ended?.cancel()).toBe(false)
    expect(await pool.find('nobody')).toBeNull()
    expect(pool.status().store).toMatchObject({ unended: 0, ended: 1 })
  })

  test('keeps its dead letters and its cache', async () => {
    const file = join(folder, 'runs')
    {
      await using troupe = durablePool()
      troupe.pool.start()
      await troupe.pool.submit('failForGood', 'no', { id: 'dead' }).outcome()
      expect(await troupe.pool.run('count', file, { cache: { key: 'c' } })).toBe(1)
    }
    await using troupe = durablePool()
    const { pool } = troupe
    pool.start()
    expect(pool.deadLetters.get('dead')).toMatchObject({ name: 'failForGood', payload: 'no' })
    expect(await pool.run('count', file, { cache: { key: 'c' } })).toBe(1)
    pool.deadLetters.delete('dead')
    expect(pool.deadLetters.get('dead')).toBeNull()
  })

  test('may be started again, and runs what it had kept', async () => {
    await using troupe = durablePool()
    const { pool } = troupe
    pool.start()
    await pool.run('echo', 1)
    pool.pause()
    pool.submit('echo', 2, { id: 'again' })
    await pool.shutdown()
    pool.start()
    expect(await (await pool.find('again'))?.result()).toBe(2)
  })

  test('is the only one of its file: a second ends in error, and can recover', async () => {
    await using first = durablePool()
    first.pool.start()
    await using second = durablePool()
    const { pool } = second
    pool.start()
    expect(pool.status()).toMatchObject({ state: 'error' })
    expect(pool.getSnapshot().context.error).toMatchObject({ code: 'STORE_LOCKED' })
    expect(() => pool.submit('echo', 1)).toThrow(expect.objectContaining({ code: 'POOL_CLOSED' }))
    await first.pool.shutdown()
    pool.recover()
    pool.start()
    expect(await pool.run('echo', 'mine')).toBe('mine')
  })

  test('does not start on a file that is not a store, and leaves it alone', async () => {
    writeFileSync(path, 'these are my notes\n'.repeat(20))
    const before = readFileSync(path)
    await using troupe = durablePool()
    troupe.pool.start()
    expect(troupe.pool.getSnapshot().context.error).toMatchObject({ code: 'STORE_UNREADABLE' })
    await troupe.pool.shutdown()
    expect(readFileSync(path)).toEqual(before)
  })

  test('acknowledges a turn of submissions at once when batched', async () => {
    await using troupe = durablePool({ store: { path, durability: 'batched' } })
    const { pool } = troupe
    pool.start()
    const handles = Array.from({ length: 200 }, (_, at) => pool.submit('echo', at))
    await Promise.all(handles.map((handle) => handle.stored()))
    const values = await Promise.all(handles.map((handle) => handle.result()))
    expect(values).toEqual(Array.from({ length: 200 }, (_, at) => at))
  })

  test('whose disk is full refuses by name, lives on, and works when there is room', async (context) => {
    const disk = mountDisk(join(folder, 'disk'), DISK_MB)
    if (disk.problem !== null) return context.skip(disk.problem)
    try {
      await using troupe = durablePool({
        store: join(disk.folder, 'pool.db'),
        task: { attempts: 1 },
      })
      const { pool } = troupe
      pool.start()
      expect(await pool.run('echo', 'before')).toBe('before')
      const running = pool.submit('wait', 300)
      await nextEvent(pool as never, 'task.started')
      disk.fill()
      const submitBig = () => pool.submit('echo', 'x'.repeat(1_000_000))
      const full = expect.objectContaining({
        code: 'STORE_FULL',
        retryable: true,
        task: expect.objectContaining({ name: 'echo' }),
      })
      expect(submitBig).toThrow(full)
      expect(pool.status().state).toBe('running')
      disk.empty()
      expect(await running.result()).toBe(300)
      expect(await pool.run('echo', 'after')).toBe('after')
    } finally {
      disk.unmount()
    }
  })
})
