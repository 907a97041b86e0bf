/**
 * G5, G7: a part of a reading that fails is unknown and named by an alert, and the rest is judged; where
 * no reading comes at all, that is said. Both are over with the trouble.
 */
import { describe, expect, it } from 'vitest'
import { simulatePool } from '../../src/testing/index.ts'
import type { TaskContext } from '../../src/task/context.ts'

const tasks = { echo: async ({ payload }: TaskContext<number>) => payload }
const SECOND = 1_000
/** How long a fault of the readings lasts, in ms, and more than it takes to be noticed. */
const TROUBLE_MS = 10 * SECOND
const pool = { tasks, workers: 2, heartbeatInterval: SECOND, zombieAfter: 3 * SECOND } as const

describe('a reading that fails', () => {
  it('names each part that fails, goes on with the others, and says when none comes', async () => {
    const { value } = await simulatePool(pool).run(async (actor, scenario) => {
      const seen: unknown[] = []
      const note = () => {
        const { health, alerts } = actor.status()
        seen.push([health, ...alerts.map(({ code }) => code)])
      }
      for (let round = 0; round < 4; round++) {
        scenario.inject('readingFails')
        await scenario.advance(TROUBLE_MS - SECOND)
        note()
        await scenario.advance(3 * SECOND)
        note()
      }
      expect(await actor.run('echo', 1)).toBe(1)
      return seen
    })
    expect(value).toEqual([
      ['healthy', 'READER_FAILED_MEMORY'],
      ['healthy'],
      ['healthy', 'READER_FAILED_DISK'],
      ['healthy'],
      ['healthy', 'READER_FAILED_WORKERS'],
      ['healthy'],
      ['degraded', 'READINGS_MISSING'],
      ['healthy'],
    ])
  })

  it.each(['memory', 'disk', 'the sizes of workers'])(
    'kills a silent worker while %s cannot be read',
    async (what) => {
      const parts = ['memory', 'disk', 'the sizes of workers']
      const { value } = await simulatePool(pool).run(async (actor, scenario) => {
        const causes: string[] = []
        actor.on('worker.exited', ({ cause }) => causes.push(cause))
        for (let turn = 0; turn < parts.indexOf(what); turn++) {
          scenario.inject('readingFails')
          await scenario.advance(TROUBLE_MS + 2 * SECOND)
        }
        scenario.inject('readingFails')
        await scenario.advance(SECOND)
        scenario.inject('hang')
        const running = actor.run('echo', 1)
        await scenario.advance(6 * SECOND)
        const alerts = actor.status().alerts.map(({ code }) => code)
        return { causes: [...causes], alerts: alerts.length, result: await running }
      })
      expect(value).toEqual({ causes: ['silent'], alerts: 1, result: 1 })
    },
  )

  it('ends its alerts with the run', async () => {
    const { value } = await simulatePool(pool).run(async (actor, scenario) => {
      const codes = () => actor.status().alerts.map(({ code }) => code)
      scenario.inject('readingFails')
      await scenario.advance(2 * SECOND)
      const during = codes()
      await actor.shutdown()
      return { during, after: codes() }
    })
    expect(value).toEqual({ during: ['READER_FAILED_MEMORY'], after: [] })
  })
})
