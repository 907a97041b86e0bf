/** `troupe/testing` as users have it, without processes: the pool's model, what fast-check draws, the matchers. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { TaskContext } from '../../src/index.ts'
import { faultPlans, poolEvents, poolModel, taskPlans } from '../../src/testing/index.ts'
import { simulatePool } from '../../src/testing/simulation/simulate-pool.ts'
import { trueTrace } from '../support/recorded-run.ts'
import { addMatchers } from '../support/troupe-matchers.ts'

addMatchers()

const model = poolModel({ workers: 1 })
const descriptions = (paths: readonly { readonly description: string }[]) =>
  paths.map(({ description }) => description)

describe('poolModel', () => {
  test('knows a shortest path to each state', () => {
    expect(
      model.shortestPaths().map(({ description, state }) => `${description}: ${state}`),
    ).toEqual([
      'nothing: idle',
      'start: starting.opening',
      'start, stop: stopping',
      'start, settle: running.accepting',
      'start, settle, pause: paused.accepting',
      'start, settle, stop: stopping',
    ])
  })

  test('filters paths by their end, their steps and their length', () => {
    expect(descriptions(model.shortestPaths({ to: 'running' }))).toEqual(['start, settle'])
    expect(descriptions(model.shortestPaths({ maxSteps: 1 }))).toEqual(['nothing', 'start'])
    const calm = model.simplePaths({
      to: (state) => state === 'stopping',
      through: ({ event }) => event.type !== 'force',
    })
    expect(descriptions(calm)).toEqual([
      'start, stop',
      'start, settle, stop',
      'start, settle, pause, stop',
    ])
  })

  test('has simple paths, none of which comes to a state twice', () => {
    const wide = poolModel({ workers: 2, sizes: [1, 2] })
    const paths = wide.simplePaths({ maxSteps: 6 })
    expect(paths.length).toBeGreaterThan(50)
    expect(new Set(descriptions(paths)).size).toBe(paths.length)
    expect(wide.simplePaths({ maxPaths: 7 })).toHaveLength(7)
    expect(wide.coverage()).toMatchObject({ states: 21, transitions: 77, transitionsSeen: 0 })
  })

  test('has paths that together take every transition', () => {
    const paths = model.transitionPaths()
    const taken = new Set(
      paths.flatMap(({ steps }) =>
        steps.map(({ event }, at) => `${steps[at - 1]?.state ?? 'idle'} --${event.type}`),
      ),
    )
    const { missing } = model.coverage()
    expect([...taken].toSorted()).toEqual([...new Set(missing)].toSorted())
  })

  test('says which numbers of workers it knows', () => {
    expect(() => poolModel({ workers: 0 })).toThrow('workers: a whole number from 1 to 4, not 0')
    expect(() => poolModel({ workers: 1, sizes: [9] })).toThrow('not 9')
  })

  test('walks, and says at which step a pool goes elsewhere', async () => {
    const [path] = model.shortestPaths({ to: 'paused' })
    if (path === undefined) throw new Error('no path')
    let value: unknown = 'idle'
    const subscribe = () => ({ unsubscribe: () => {} })
    const deaf = {
      start: () => (value = { starting: 'opening' }),
      pause: () => {},
      resume: () => {},
      drain: async () => {},
      scale: async () => {},
      shutdown: async () => {},
      getSnapshot: () => ({ value }) as never,
      subscribe,
    }
    await expect(model.walk(path, deaf, { settleTimeout: 1 })).rejects.toThrow(
      'start, settle, pause: after step 2 (settle) the model stands in {"running":"accepting"}',
    )
  })
})

describe('arbitraries', () => {
  test('poolEvents are paths of the model', () => {
    fc.assert(
      fc.property(poolEvents(fc, { workers: 2, sizes: [1, 2] }), ({ steps, state }) => {
        expect(steps.at(-1)?.state ?? 'idle').toBe(state)
        const first = steps[0]?.event.type
        expect(first === undefined || ['start', 'scale'].includes(first)).toBe(true)
      }),
    )
  })

  test('faultPlans name faults that exist', () => {
    fc.assert(
      fc.property(faultPlans(fc, { among: ['crash', 'hang'], maxFaults: 2 }), (faults) => {
        expect(Object.keys(faults).filter((name) => name !== 'crash' && name !== 'hang')).toEqual(
          [],
        )
      }),
    )
    expect(() => faultPlans(fc, { among: ['rain' as 'crash'] })).toThrow(
      'there is no fault "rain"; known: crash,',
    )
  })

  test('taskPlans run in a simulated pool, whatever goes wrong', { timeout: 30_000 }, async () => {
    const tasks = { double: async ({ payload }: TaskContext<number>) => payload * 2 }
    await fc.assert(
      fc.asyncProperty(
        taskPlans(fc, { double: fc.integer() }, { maxTasks: 5 }),
        faultPlans(fc, { among: ['crash', 'failedTask', 'lostFrame'] }),
        fc.nat({ max: 1_000 }),
        async (plans, faults, seed) => {
          const simulation = simulatePool({ tasks, workers: 2, faults, seed })
          const { outcomes } = await simulation.run(async (pool) => {
            const handles = plans.map(({ name, payload, options }) =>
              pool.submit(name as 'double', payload as never, options),
            )
            await expect(handles).toSettleExactlyOnce({ pool, within: 3_600_000 })
          })
          expect(outcomes).toHaveLength(plans.length)
        },
      ),
      { numRuns: 15 },
    )
  })
  test('taskPlans need a task', () => {
    expect(() => taskPlans(fc, {})).toThrow('name at least one task')
  })
})

describe('toSettleExactlyOnce', () => {
  const ended = { taskId: 'one', status: 'succeeded' }
  const handle = {
    id: 'one',
    wait: async () => ended,
    outcome: async () => ended,
    status: () => ({ state: 'succeeded' }),
  }
  test('takes what has settled, one or many', async () => {
    await expect(handle).toSettleExactlyOnce()
    await expect([handle, handle]).toSettleExactlyOnce()
  })
  test('finds what never settles, and what settles otherwise the second time', async () => {
    const pending = { ...handle, wait: async () => null }
    await expect(expect(pending).toSettleExactlyOnce({ within: 5 })).rejects.toThrow(
      'one has not settled within 5 ms',
    )
    const fickle = { ...handle, outcome: async () => ({ ...ended, status: 'failed' }) }
    await expect(expect(fickle).toSettleExactlyOnce()).rejects.toThrow(
      'one settled as succeeded, and then as failed',
    )
  })
  test('finds an end that is told twice', async () => {
    const listeners: ((event: { taskId: string }) => void)[] = []
    const pool = {
      on: (type: string, listener: never) => {
        if (type === 'task.succeeded') listeners.push(listener)
        return { unsubscribe: () => {} }
      },
    }
    let state = 'running'
    const twice = {
      ...handle,
      status: () => ({ state }),
      wait: async () => {
        state = 'succeeded'
        for (let count = 0; count < 2; count++) for (const send of listeners) send(ended)
        return ended
      },
    }
    await expect(expect(twice).toSettleExactlyOnce({ pool })).rejects.toThrow('told 2 times')
  })
})

describe('toConformTo', () => {
  test('takes a true trace, by machine or by all', () => {
    expect(trueTrace()).toConformTo()
    expect(trueTrace()).toConformTo('shutdown')
  })
  test('finds a false one, and one that holds nothing of the machine', () => {
    const short = trueTrace().slice(0, -2)
    expect(() => expect(short).toConformTo('shutdown')).toThrow('the trace breaks off here')
    expect(() => expect(trueTrace()).toConformTo('worker')).toThrow('no step of the worker machine')
    expect(() => expect(trueTrace()).toConformTo('gone' as 'worker')).toThrow('known: pool,')
  })
})
