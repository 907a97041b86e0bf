/** Lives in which the simulation once found a bug: shrunk, and kept so that it stays mended. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { useVirtualTime } from '../../src/testing/simulation/virtual-time.ts'
import { simulateSchedule } from './schedule-run.ts'
import type { Schedule } from './schedule.ts'

const base = { seed: 1, pool: {}, hasBrowser: false, faults: {}, moves: [], healAtMs: 1_000 }
const ended = { ...base, end: 'shutdown', isEndedEarly: false } as const

const found: readonly { readonly name: string; readonly life: Schedule }[] = [
  {
    // Seed 50579: it was told as failed and kept by the store all the same, to fail again at each start.
    name: 'a task whose session cannot be opened has ended, also in a pool with a store',
    life: {
      ...ended,
      seed: 50_579,
      pool: { store: 'simulated.sqlite' },
      hasBrowser: true,
      faults: { failedLogin: 1 },
      moves: [
        { atMs: 0, do: 'submit', abortAfterMs: 0, name: 'page', ms: 3, options: { id: 't1' } },
      ],
      healAtMs: 2_245,
    },
  },
  {
    // Seed 301791: `worker.stopped` of a slot that has been started again in the same turn.
    name: 'a listener to worker.exited scales the pool up again, and all of it is there',
    life: {
      ...ended,
      seed: 301_791,
      moves: [
        { atMs: 0, do: 'react', to: 'worker.exited', with: { do: 'scale', workers: 3 } },
        { atMs: 2_463, do: 'scaleDown' },
      ],
      healAtMs: 5_658,
    },
  },
  {
    // Seed 505075: it was accepted under its old id before it was told that it had failed.
    name: 'a dead letter is sent again by a listener before the end of its task was told',
    life: {
      ...ended,
      seed: 505_075,
      pool: { store: 'simulated.sqlite', task: { attempts: 1 } },
      faults: { failedTask: 1 },
      moves: [
        { atMs: 0, do: 'submit', abortAfterMs: 0, name: 'retiring', ms: 11, options: { id: 't3' } },
        { atMs: 0, do: 'react', to: 'task.started', with: { do: 'redriveAll' } },
      ],
      healAtMs: 3_307,
    },
  },
]

let giveTimeBack = () => {}
beforeAll(() => {
  giveTimeBack = useVirtualTime()
})
afterAll(() => giveTimeBack())

describe('a life that once went wrong', () => {
  it.each(found)('$name', async ({ life }) => {
    expect((await simulateSchedule(life)).violations).toEqual([])
  })
})
