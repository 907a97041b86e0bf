/**
 * G5: the run folder is taken away while the pool runs. Whatever is started next finds it in its place
 * again, a browser without its profile is replaced after its task, and no task pays for it.
 */
import { describe, expect, it } from 'vitest'
import { LOOK_EVERY_MS } from '../../src/pool/host/run-care.ts'
import { simulatePool } from '../../src/testing/index.ts'
import type { TaskContext } from '../../src/task/context.ts'

const tasks = {
  title: async ({ page }: TaskContext<number>) => {
    await page.goto('about:blank')
    return 'title'
  },
}
const page = () => ({ goto: () => Promise.resolve(null) })
const options = { tasks, page, workers: 2, startTimeout: 5_000, task: { attempts: 1 } } as const

describe('a run folder that is removed', () => {
  it('is there again for the next start, whatever starts it', async () => {
    const { value } = await simulatePool({ ...options, maxTasksPerWorker: 1 }).run(
      async (pool, scenario) => {
        const titles: string[] = []
        for (let round = 0; round < 5; round++) {
          scenario.inject('folderGone')
          await scenario.advance(3_000)
          titles.push(await pool.run('title', round))
        }
        const { tasks: counts, state, health } = pool.status()
        await pool.shutdown()
        return { titles, failed: counts.failed, state, health, left: scenario.left() }
      },
    )
    expect(value).toEqual({
      titles: Array.from({ length: 5 }, () => 'title'),
      failed: 0,
      state: 'running',
      health: 'healthy',
      left: null,
    })
  })

  it('costs each browser that has lost its profile its place, after its task', async () => {
    const { value } = await simulatePool(options).run(async (pool, scenario) => {
      await pool.run('title', 0)
      const exits: string[] = []
      pool.on('worker.exited', ({ slot, cause }) => void exits.push(`${slot} ${cause}`))
      scenario.inject('folderGone')
      await scenario.advance(LOOK_EVERY_MS + 10_000)
      const { processesStarted } = pool.status()
      await pool.run('title', 1)
      await pool.shutdown()
      return { exits: exits.slice(0, 2).sort(), processesStarted, left: scenario.left() }
    })
    expect(value.exits.map((exit) => exit.split(' ')[0])).toEqual(['worker-1', 'worker-2'])
    expect(value).toMatchObject({ processesStarted: 4, left: null })
  })

  it.each([1, 2, 3, 4, 5])(
    'again and again: nothing is lost, nothing is left (%i)',
    async (seed) => {
      const { value, struck } = await simulatePool({
        ...options,
        seed,
        maxTasksPerWorker: 2,
        task: { attempts: 5 },
        restart: { minBackoff: 50, maxBackoff: 500, intensity: 100, period: 10_000 },
        faults: { folderGone: 0.2, browserLost: 0.2 },
      }).run(async (pool, scenario) => {
        const outcomes: string[] = []
        for (let round = 0; round < 30; round++) {
          outcomes.push((await pool.submit('title', round).outcome()).status)
          await scenario.advance(1_000)
        }
        await pool.shutdown()
        return { outcomes, left: scenario.left() }
      })
      expect(struck.folderGone).toBeGreaterThan(0)
      expect(value.outcomes).toHaveLength(30)
      expect(value.left).toBeNull()
    },
  )
})
