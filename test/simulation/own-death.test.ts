/**
 * G4, G5: a death is charged once. A task that was alone in its worker pays for it with an attempt, and
 * the slot comes back at once: no backoff, no breaker, whatever the number of such tasks. A worker that
 * dies without a task, or with several, is the slot's own trouble, as ever.
 */
import { describe, expect, it } from 'vitest'
import { simulatePool } from '../../src/testing/index.ts'
import type { TaskContext } from '../../src/task/context.ts'

const tasks = {
  echo: async ({ payload }: TaskContext<number>) => payload,
  bad: async ({ payload }: TaskContext<number>) => payload,
}
const SECOND = 1_000
const TASKS = 210
/** Each 21st is bad. */
const BAD = 10
const base = {
  tasks,
  workers: 2,
  heartbeatInterval: SECOND,
  zombieAfter: 3 * SECOND,
  restart: { minBackoff: 10 * SECOND, maxBackoff: 30 * SECOND, intensity: 3, period: 60 * SECOND },
} as const

function play(fault: 'crash' | 'exitDuringTask' | 'hang', seed: number, concurrency = 1) {
  const simulation = simulatePool({
    ...base,
    concurrentTasksPerWorker: concurrency,
    seed,
    faults: { [fault]: { task: 'bad' } },
  })
  return simulation.run(async (pool, scenario) => {
    const alerts = new Set<string>()
    const runs = new Set<string>()
    pool.on('alert.raised', ({ code }) => alerts.add(code))
    pool.on('worker.exited', () => {
      for (const { state } of pool.status().workers) runs.add(state)
    })
    const beganMs = scenario.nowMs
    const codes = await Promise.all(
      Array.from({ length: TASKS }, (_, at) =>
        pool.run(at % 21 === 10 ? 'bad' : 'echo', at, { attempts: 3 }).then(
          () => 'ok',
          (error: { code: string }) => error.code,
        ),
      ),
    )
    const tookMs = scenario.nowMs - beganMs
    await scenario.advance(2 * SECOND)
    const { health } = pool.status()
    const lost = codes.filter((code) => code === 'WORKER_LOST').length
    const isWaiting = [...runs].some((state) => state.includes('backoff'))
    return { lost, alerts: [...alerts], isWaiting, health, tookMs }
  })
}

describe('a death that one task is charged with', () => {
  const seeds = [1, 2, 3, 4, 5]
  it.each(seeds)('by a crash or an exit, costs the slot nothing (seed %i)', async (seed) => {
    for (const fault of ['crash', 'exitDuringTask'] as const) {
      const { value } = await play(fault, seed)
      expect(value).toMatchObject({ lost: BAD, alerts: [], isWaiting: false, health: 'healthy' })
      // One wait of the backoff takes longer.
      expect(value.tookMs).toBeLessThan(10 * SECOND)
    }
  })

  it('by a hang, costs no more than its silence', async () => {
    const { value } = await play('hang', 1)
    expect(value).toMatchObject({ lost: BAD, alerts: [], isWaiting: false })
  })

  it('is the slot’s own where several tasks were in it', async () => {
    const { value } = await play('crash', 1, 4)
    expect(value.alerts).toContain('BREAKER_OPEN')
  })
})
