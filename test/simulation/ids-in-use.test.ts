/**
 * G1: an id is in use until the end of its task was told. Else that end, told after the id was given
 * to another task, would be taken for the end of that one, and it would seem to end twice.
 */
import { describe, expect, it } from 'vitest'
import { isTroupeError, type PlainTaskContext, task } from '../../src/index.ts'
import { simulatePool } from '../../src/testing/index.ts'

const tasks = {
  work: task({ browser: false }, ({ payload }: PlainTaskContext<number>) => payload),
}
const ends = ['task.succeeded', 'task.failed', 'task.cancelled'] as const

type Simulated = ReturnType<typeof simulatePool<typeof tasks>>
type Pool = Parameters<Parameters<Simulated['run']>[0]>[0]

/** How a listener to the start of a task uses the task's id again. */
const AGAIN: Readonly<Record<string, (pool: Pool) => unknown>> = {
  redrive: (pool) => pool.deadLetters.redrive('t'),
  submit: (pool) => pool.submit('work', 2, { id: 't' }),
  submitAll: (pool) => pool.submitAll([{ name: 'work', payload: 2, options: { id: 't' } }]),
}

describe.each([false, true])('an id (with a store: %s)', (hasStore) => {
  const base = { tasks, workers: 1, task: { attempts: 1 }, faults: { failedTask: 1 } }
  const options = hasStore ? { ...base, store: 'simulated.sqlite' } : base

  it.each(Object.keys(AGAIN))('is in use until the end was told: %s', async (how) => {
    const { value } = await simulatePool(options).run(async (pool) => {
      const reported: string[] = []
      const again = (when: string) => {
        try {
          AGAIN[how]?.(pool)
          reported.push(`${when}: accepted`)
        } catch (error) {
          reported.push(`${when}: ${isTroupeError(error) ? error.code : String(error)}`)
        }
      }
      let runs = 1
      const { promise: isOver, resolve } = Promise.withResolvers<void>()
      pool.on('task.started', () => {
        if (runs === 1) again('started')
      })
      for (const end of ends) {
        pool.on(end, () => {
          reported.push(end)
          if (runs++ === 1) again('ended')
          else resolve()
        })
      }
      pool.submit('work', 1, { id: 't' })
      await isOver
      await pool.shutdown()
      return reported
    })
    // Without a store the task has not failed when it is told as started: there is no letter yet.
    const refusal = !hasStore && how === 'redrive' ? 'TASK_UNKNOWN' : 'CONFIG_INVALID'
    expect(value).toEqual([`started: ${refusal}`, 'task.failed', 'ended: accepted', 'task.failed'])
  })

  it('leaves the letter that could not be sent again yet', async () => {
    const { value } = await simulatePool(options).run(async (pool) => {
      const refused: string[] = []
      pool.on('task.started', () => {
        const { redriven, refused: those } = pool.deadLetters.redriveAll()
        refused.push(...those.map(({ id, error }) => `${id} ${error.code}`))
        expect(redriven).toEqual([])
      })
      const { status } = await pool.submit('work', 1, { id: 't' }).outcome()
      const letters = pool.deadLetters.list().letters.map(({ id }) => id)
      await pool.shutdown()
      return { status, letters, refused }
    })
    const refused = hasStore ? ['t CONFIG_INVALID'] : []
    expect(value).toEqual({ status: 'failed', letters: ['t'], refused })
  })
})
