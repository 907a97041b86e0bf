/** Sequences of commands in which fast-check once found a bug: shrunk, and kept so that it stays mended. */
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { task } from '../../src/tasks.ts'
import { type PlainTaskContext } from '../../src/task/context.ts'
import { simulatePool } from '../../src/testing/index.ts'

const tasks = {
  nap: task({ browser: false }, ({ payload }: PlainTaskContext<number>) => sleep(payload)),
}

describe('a sequence that once went wrong', () => {
  // Sequence 59: the promise of the drain took a paused pool for one that is done.
  it('drain, pause: the drain is not over before the tasks have ended', async () => {
    const simulation = simulatePool({ tasks, workers: 1 })
    const { value } = await simulation.run(async (pool, scenario) => {
      const [running, waiting] = [pool.submit('nap', 1_000), pool.submit('nap', 1_000)]
      await scenario.advance(500)
      let isOver = false
      const drained = pool.drain().then(() => {
        isOver = true
      })
      pool.pause()
      await scenario.advance(10_000)
      const whilePaused = [isOver, running.status().state, waiting.status().state]
      pool.resume()
      await drained
      return { whilePaused, after: waiting.status().state, state: pool.status().state }
    })
    expect(value).toEqual({
      whilePaused: [false, 'succeeded', 'queued'],
      after: 'succeeded',
      state: 'running',
    })
  })

  // The same sequence, and a submit after it: it was taken, and made the drain longer.
  it('drain, pause, submit: a paused pool that drains refuses tasks', async () => {
    const simulation = simulatePool({ tasks, workers: 1 })
    const { value } = await simulation.run(async (pool, scenario) => {
      const last = pool.submit('nap', 1_000)
      await scenario.advance(500)
      void pool.drain()
      pool.pause()
      const submit = () => pool.submit('nap', 1)
      expect(submit).toThrow(expect.objectContaining({ code: 'DRAINING' }))
      await last.outcome()
      const { id } = submit()
      pool.resume()
      return [id, (await pool.find(id))?.id]
    })
    expect(value[0]).toBe(value[1])
  })

  it('drain, pause, shutdown: the drain is over with the pool', async () => {
    const simulation = simulatePool({ tasks, workers: 1 })
    const { outcomes } = await simulation.run(async (pool, scenario) => {
      pool.submit('nap', 1_000)
      await scenario.advance(500)
      const drained = pool.drain()
      pool.pause()
      await Promise.all([pool.shutdown(), drained])
    })
    expect(outcomes).toMatchObject([{ status: 'succeeded' }])
  })
})
