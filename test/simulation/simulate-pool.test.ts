/** `simulatePool`: real pools in virtual time, as users test their own tasks with them. */
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { defineTasks, task, TroupeError } from '../../src/tasks.ts'
import { type PlainTaskContext, type TaskContext } from '../../src/task/context.ts'
import { FAULT_NAMES, simulatePool } from '../../src/testing/index.ts'

const MINUTE_MS = 60_000
const plain = { browser: false } as const
type Text = PlainTaskContext<string>

const tasks = {
  echo: task(plain, async ({ payload }: Text) => payload),
  nap: task(plain, async ({ payload, signal }: PlainTaskContext<number>) => {
    await sleep(payload, undefined, { signal })
    return `slept ${payload} ms`
  }),
  deaf: task(plain, () => new Promise(() => undefined)),
  flaky: task(plain, async ({ attempt }: Text) => {
    if (attempt < 3) throw new Error(`attempt ${attempt} fails`)
    return attempt
  }),
  hopeless: task(plain, async () => {
    throw new TroupeError('TASK_FAILED', 'there is no such order', { retryable: false })
  }),
  title: async ({ page, payload }: TaskContext<string>) => {
    await page.goto(payload)
    return page.title()
  },
}
const quiet = { tasks, workers: 2, logger: 'silent' } as const

describe('time', () => {
  it('passes only for the simulation: an hour takes no time', async () => {
    const begun = performance.now()
    const report = await simulatePool({ ...quiet, task: { timeout: 0 } }).run((pool) =>
      pool.run('nap', 60 * MINUTE_MS),
    )
    expect(report.value).toBe(`slept ${60 * MINUTE_MS} ms`)
    expect(report.virtualMs).toBeGreaterThan(60 * MINUTE_MS)
    expect(performance.now() - begun).toBeLessThan(20_000)
  })

  it('is virtual in the scenario, too, and real again afterwards', async () => {
    const before = Date.now()
    const { value } = await simulatePool(quiet).run(async (_, scenario) => {
      const date = new Date()
      const from = [Date.now(), performance.now(), scenario.nowMs]
      await new Promise((resolve) => setTimeout(resolve, 10_000))
      await scenario.advance(5_000)
      const to = [Date.now(), performance.now(), scenario.nowMs]
      return {
        passed: to.map((at, index) => at - (from[index] as number)),
        year: date.getFullYear(),
      }
    })
    expect(value).toEqual({ passed: [15_000, 15_000, 15_000], year: 2026 })
    expect(Math.abs(Date.now() - before)).toBeLessThan(60_000)
    expect(setTimeout(() => undefined, 0)).toHaveProperty('ref')
  })

  it('is cleared away by a timeout that a handler does not listen to', async () => {
    const simulation = simulatePool({ ...quiet, task: { timeout: 1_000, attempts: 1 } })
    const { outcomes, virtualMs } = await simulation.run(async (pool) => {
      await pool.submit('deaf', undefined).outcome()
    })
    expect(outcomes).toMatchObject([{ status: 'failed', error: { code: 'TASK_TIMED_OUT' } }])
    expect(virtualMs).toBeLessThan(MINUTE_MS)
  })
})

describe('handlers', () => {
  it('are retried, and their errors told', async () => {
    const { outcomes } = await simulatePool(quiet).run(async (pool) => {
      await Promise.allSettled([pool.run('flaky', ''), pool.run('hopeless', undefined)])
    })
    expect(outcomes).toMatchObject([
      { name: 'hopeless', status: 'failed', attempts: 1 },
      { name: 'flaky', status: 'succeeded', attempts: 3, value: 3 },
    ])
  })

  it('are cancelled by their signal', async () => {
    const { outcomes, virtualMs } = await simulatePool(quiet).run(async (pool, scenario) => {
      const handle = pool.submit('nap', MINUTE_MS)
      await scenario.advance(500)
      handle.cancel()
      await handle.outcome()
    })
    expect(outcomes).toMatchObject([{ status: 'cancelled', error: { code: 'TASK_CANCELLED' } }])
    expect(virtualMs).toBeLessThan(2_000)
  })

  it('get the page that the test gives them', async () => {
    const page = () => ({
      goto: () => Promise.resolve(null),
      title: () => Promise.resolve('Orders'),
    })
    const { value } = await simulatePool({ ...quiet, page }).run((pool) =>
      pool.run('title', 'https://portal.example'),
    )
    expect(value).toBe('Orders')
  })

  it('are told what is missing when they get none', async () => {
    const run = simulatePool({ ...quiet, task: { attempts: 1 } }).run((pool) =>
      pool.run('title', 'https://portal.example'),
    )
    await expect(run).rejects.toThrow(/page\.title\(\): a simulation has no browser/)
  })
})

describe('the end', () => {
  it('of the host by a signal lets what runs end', async () => {
    const { outcomes } = await simulatePool(quiet).run(async (pool, scenario) => {
      const running = pool.submit('nap', 5_000)
      await scenario.advance(1_000)
      scenario.signal('SIGTERM')
      await running.outcome()
      await scenario.advance(1_000)
      expect(() => pool.submit('echo', 'late')).toThrow('the pool takes no tasks')
    })
    expect(outcomes).toMatchObject([{ status: 'succeeded' }])
  })

  it('by a second signal does not wait', async () => {
    const { outcomes, virtualMs } = await simulatePool(quiet).run(async (pool, scenario) => {
      const running = pool.submit('deaf', undefined)
      await scenario.advance(1_000)
      scenario.signal('SIGINT')
      scenario.signal('SIGINT')
      await running.outcome()
    })
    expect(outcomes).toMatchObject([{ status: 'cancelled' }])
    expect(virtualMs).toBeLessThan(3_000)
  })

  it('is said of a scenario that never ends', async () => {
    const run = simulatePool({ ...quiet, limit: MINUTE_MS }).run(() => new Promise(() => undefined))
    await expect(run).rejects.toThrow(/the scenario is stuck: it has not ended within 60000 ms/)
  })
})

describe('faults', () => {
  /** Whatever strikes the first attempt, once: the work is done in the end. */
  it.each(FAULT_NAMES.map((name) => ({ name })))(
    '$name: and the work is done',
    async ({ name }) => {
      const simulation = simulatePool({
        ...quiet,
        tasks: defineTasks(tasks, { session: { login: async () => undefined } }),
        page: () => ({ goto: () => Promise.resolve(null), title: () => Promise.resolve('Orders') }),
        task: { timeout: 10_000 },
        zombieAfter: 15_000,
        faults: { [name]: { times: 1 } },
      })
      const { value, struck } = await simulation.run(async (pool, scenario) => {
        await scenario.advance(3_000)
        if (pool.status().state === 'error') again(pool)
        const [title, nap] = await Promise.all([pool.run('title', 'x'), pool.run('nap', 100)])
        await pool.shutdown({ force: name === 'slowDeath' })
        return [title, nap]
      })
      expect(value).toEqual(['Orders', 'slept 100 ms'])
      expect(struck[name]).toBe(1)
    },
  )

  it('strike the task and the attempt they are told to', async () => {
    const simulation = simulatePool({
      ...quiet,
      faults: { crash: { task: 'echo', attempt: 1 }, failedTask: { task: 'nap', attempt: 2 } },
    })
    const { outcomes, struck } = await simulation.run(async (pool) => {
      await Promise.all([pool.run('echo', 'a'), pool.run('nap', 10)])
    })
    expect(struck).toMatchObject({ crash: 1, failedTask: 0 })
    expect(outcomes.map(({ name, attempts }) => [name, attempts])).toEqual(
      expect.arrayContaining([
        ['echo', 2],
        ['nap', 1],
      ]),
    )
  })

  it('end when they are healed', async () => {
    const simulation = simulatePool({ ...quiet, faults: { failedTask: 1 }, task: { attempts: 50 } })
    const { struck } = await simulation.run(async (pool, scenario) => {
      const handle = pool.submit('echo', 'a')
      await scenario.advance(20_000)
      scenario.heal()
      expect(await handle.outcome()).toMatchObject({ status: 'succeeded' })
    })
    expect(struck.failedTask).toBeGreaterThan(2)
  })
})

describe('a seed', () => {
  const faults = { crash: 0.3, lateFrame: 0.2, slowStart: 0.5, hungTask: 0.1 }
  const play = (seed: number) =>
    simulatePool({ ...quiet, faults, seed, task: { timeout: 5_000 } }).run(async (pool) => {
      await Promise.all(Array.from({ length: 10 }, (_, n) => pool.submit('nap', n * 20).outcome()))
    })

  it('gives the same run again, and another seed another', async () => {
    const [one, two, other] = [await play(7), await play(7), await play(8)]
    expect(two).toEqual(one)
    expect(other.virtualMs).not.toBe(one.virtualMs)
  })

  it('is told with the error of a scenario', async () => {
    const run = simulatePool({ ...quiet, seed: 4711 }).run(() => {
      throw new Error('not what I expected')
    })
    await expect(run).rejects.toThrow(/not what I expected\n.*seed: 4711/)
  })
})

describe('the real world', () => {
  it('has its turn after every step: a message between ports comes in time', async () => {
    const echo = task(plain, async ({ payload }: Text) => {
      const { port1, port2 } = new MessageChannel()
      const answer = new Promise<unknown>((resolve) => {
        port2.onmessage = ({ data }: { data: unknown }) => resolve(data)
      })
      port1.postMessage(payload)
      const heard = await answer
      port1.close()
      return heard
    })
    const simulation = simulatePool({
      ...quiet,
      tasks: { echo },
      task: { timeout: 10_000, attempts: 1 },
    })
    const { value } = await simulation.run((pool) => pool.run('echo', 'a letter'))
    expect(value).toBe('a letter')
  })
})

describe('bad input', () => {
  it.each([
    ['a seed that is no number', { seed: 'abc' as never }, /seed: must be a whole number/],
    ['a seed below zero', { seed: -1 }, /seed: must be a whole number/],
    ['an unknown fault', { faults: { crsh: 1 } as never }, /no fault "crsh"; known: crash, exit/],
    ['a chance above one', { faults: { crash: 2 } }, /faults\.crash: a chance is a number/],
    ['no task', { tasks: {} as never }, /tasks: at least one is needed/],
    ['a task without handler', { tasks: { a: 1 } as never }, /tasks: "a" has no handler/],
    ['a bad option', { workers: 0 }, /workers/],
  ])('%s', (_, options, message) => {
    expect(() => simulatePool({ ...quiet, ...options })).toThrow(message)
  })
})

type AnyPool = { status(): { state: string }; recover(): void; start(): unknown }

/** What an operator does with a pool that could not start. */
function again(pool: AnyPool): void {
  pool.recover()
  pool.start()
}
