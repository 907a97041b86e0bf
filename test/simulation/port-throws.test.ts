/**
 * G1, G3, G5: an action that throws, for every port of every machine, before it is done and after. What is
 * about a process costs that process; a word between actors that is lost ends the pool in `error`. In
 * either case every task ends once, no process is left, the store is closed, and the end is fast.
 */
import { describe, expect, it } from 'vitest'
import { machines } from '../../machines/index.ts'
import type { PoolActor } from '../../src/pool/actor.ts'
import { type PoolSimulation, simulatePool, type Scenario } from '../../src/testing/index.ts'
import type { TaskContext } from '../../src/task/context.ts'
import { commandNames } from '../support/machine-shape.ts'

const tasks = {
  quick: async ({ payload }: TaskContext<number>) => payload,
  slow: ({ signal }: TaskContext<number>) =>
    new Promise<number>((_, reject) => {
      signal.addEventListener('abort', () => reject(new Error('stopped')))
    }),
  odd: () => {
    throw new Error('not today')
  },
}
/** Ways out of the ledger beside those of its machine. */
const LEDGER_PORTS = [
  'worker.send',
  'pool.send',
  'shutdown.send',
  'attempt.abort',
  'report',
  'occupied',
]
const OF_PROCESS = /^worker: (process|session)\.|attempt\.abort/
/** The pool's own entry makes its actors: before it there is nothing to end. */
const NEVER_SAID = /event\.unexpected|actors\.open|run\.(close|abort)/

const ports = [
  ...(['pool', 'supervisor', 'shutdown', 'worker'] as const).flatMap((id) =>
    commandNames(machines[id]).map((name) => `${id}: ${name}`),
  ),
  ...LEDGER_PORTS.map((name) => `ledger: ${name}`),
].filter((port) => !NEVER_SAID.test(port))

const SECOND = 1_000

function simulationOf(port: string, seed: number, times?: number): PoolSimulation<typeof tasks> {
  return simulatePool({
    tasks,
    workers: 2,
    store: 'simulated.sqlite',
    cancelGrace: 100,
    drainTimeout: 500,
    closeTimeout: 500,
    maxTasksPerWorker: 3,
    standby: 1,
    restart: { minBackoff: 50, maxBackoff: 500, intensity: 50, period: 10_000 },
    task: { attempts: 2, backoff: { delay: 10 } },
    seed,
    faults: {
      stubborn: port.endsWith('terminate') ? 1 : 0.3,
      portThrows: { port, ...(times === undefined ? { chance: 0.3 } : { times }) },
    },
  })
}

/** Everything a pool can be asked for, so that every port is used. */
async function everything(pool: PoolActor, scenario: Scenario): Promise<void> {
  let open = 0
  /** A pool in `error` refuses: that is an answer, too. */
  const ask = (action: () => unknown) => {
    open++
    const settled = () => void open--
    new Promise((resolve) => resolve(action())).then(settled, settled)
  }
  for (let round = 0; round < 3; round++) {
    for (const name of ['quick', 'quick', 'odd']) ask(() => pool.run(name, 1))
    ask(() => pool.submit('slow', 1, { timeout: 300 }).outcome())
    await scenario.advance(400)
    if (round === 0) for (const fault of ['memoryPressure', 'hang'] as const) scenario.inject(fault)
    if (round === 1) scenario.inject('stubborn')
    ask(() => pool.pause())
    ask(() => pool.resume())
    ask(() => pool.scale(round === 1 ? 1 : 2))
    ask(() => pool.drain())
    await scenario.advance(3 * SECOND)
  }
  ask(() => pool.run('slow', 1))
  ask(() => pool.submit('slow', 1).cancel())
  await scenario.advance(SECOND)
  const begunMs = scenario.nowMs
  await pool.shutdown()
  expect(scenario.nowMs - begunMs).toBeLessThan(12 * SECOND)
  await scenario.advance(1)
  expect(open, 'promises that are open after the end').toBe(0)
  expect(scenario.left()).toBeNull()
}

describe('a port that throws costs what it must and no more', () => {
  it.each(ports)('%s, once', async (port) => {
    const heard = new Set<string>()
    const { struck, value } = await simulationOf(port, 1, 1).run(async (pool, scenario) => {
      heard.add(pool.status().state)
      pool.on('pool.changed', ({ state }) => heard.add(state))
      await everything(pool as never, scenario)
      return pool.status()
    })
    expect(struck.portThrows, 'it was never used').toBe(1)
    expect(value.state).toBe('idle')
    expect(heard.has('error')).toBe(!OF_PROCESS.test(port))
  })

  it.each(ports)('%s, again and again', async (port) => {
    for (const seed of [2, 3, 4]) {
      const { struck } = await simulationOf(port, seed).run((pool, scenario) =>
        everything(pool as never, scenario),
      )
      expect(struck.portThrows).toBeGreaterThanOrEqual(0)
    }
  })

  it.each(ports)('%s, always', async (port) => {
    const { struck } = await simulatePool({
      tasks,
      workers: 1,
      drainTimeout: 500,
      closeTimeout: 500,
      cancelGrace: 100,
      startTimeout: 2_000,
      faults: { portThrows: { port } },
    }).run((pool, scenario) => everything(pool as never, scenario))
    expect(struck.portThrows).toBeGreaterThanOrEqual(0)
  })
})

describe('a tap that throws costs what it would have shown and nothing else', () => {
  it.each(['status', 'alerts', 'events'])('the %s tap', async (tap) => {
    const { struck, value } = await simulatePool({
      tasks,
      workers: 1,
      faults: { portThrows: { port: `router: tap.${tap}` } },
    }).run(async (pool, scenario) => {
      const outcomes = await Promise.all(
        [1, 2, 3].map((payload) => pool.submit('quick', payload).outcome()),
      )
      const { state } = pool.status()
      await pool.shutdown()
      return { state, outcomes: outcomes.map(({ status }) => status), left: scenario.left() }
    })
    expect(struck.portThrows).toBeGreaterThan(3)
    const outcomes = ['succeeded', 'succeeded', 'succeeded']
    expect(value).toEqual({ state: 'running', outcomes, left: null })
  })
})

describe('a port that only a failure uses', () => {
  it.each(['supervisor: pool.send', 'pool: ledger.send', 'shutdown: ledger.send'])(
    'pool: run.abort, after %s',
    async (port) => {
      const struck: number[] = []
      for (const seed of [1, 2, 3, 4]) {
        const report = await simulatePool({
          tasks,
          workers: 2,
          drainTimeout: 500,
          closeTimeout: 500,
          seed,
          faults: { portThrows: { port: [port, 'pool: run.abort'], times: 2 } },
        }).run((pool, scenario) => everything(pool as never, scenario))
        struck.push(report.struck.portThrows)
      }
      expect(struck).toEqual([2, 2, 2, 2])
    },
  )

  it('pool: run.close', async () => {
    const { struck, value } = await simulatePool({
      tasks,
      workers: 1,
      startTimeout: 1_000,
      faults: { failedStart: 1, portThrows: { port: 'pool: run.close', times: 1 } },
    }).run(async (pool, scenario) => {
      await scenario.advance(10 * SECOND)
      pool.recover()
      await scenario.advance(10 * SECOND)
      const { state, lastError } = pool.status()
      await pool.shutdown()
      return { state, lastError, left: scenario.left() }
    })
    expect(struck.portThrows).toBe(1)
    expect(value).toMatchObject({ state: 'error', left: null })
    expect(value.lastError).toContain('pool: run.close failed')
  })
})

const boom = (): never => {
  throw new Error('this event cannot be read')
}
/** Events whose reading makes a guard or an update of the actor throw. */
const POISON = {
  'worker-1': {
    type: 'tasks.ended',
    count: 1,
    get incarnation() {
      return boom()
    },
  },
  supervisor: {
    type: 'reading.taken',
    get reading() {
      return boom()
    },
  },
  shutdown: {
    type: 'shutdown.begin',
    get force() {
      return boom()
    },
  },
  ledger: {
    type: 'attempts.reported',
    get slot() {
      return boom()
    },
  },
  pool: {
    type: 'worker.ready',
    get slot() {
      return boom()
    },
  },
} as const

describe('an actor that ends of an error ends the run, and nothing else', () => {
  it.each(Object.entries(POISON))('%s', async (id, poison) => {
    const simulation = simulatePool({ tasks, workers: 2, task: { attempts: 1 } })
    const { value } = await simulation.run(async (pool, scenario) => {
      const codes: unknown[] = []
      for (const name of ['slow', 'slow', 'quick'] as const) {
        pool.run(name, 1).catch((error: { code: string }) => codes.push(error.code))
      }
      await scenario.advance(SECOND)
      const { children } = pool.getSnapshot() as unknown as {
        children: Record<string, typeof pool>
      }
      const actor = id === 'pool' ? pool : children[id]
      actor?.send(poison as never)
      await scenario.advance(2 * SECOND)
      const { state, alerts } = pool.status()
      const begunMs = scenario.nowMs
      await pool.shutdown()
      const endMs = scenario.nowMs - begunMs
      return { codes, state, alerts: alerts.map(({ code }) => code), endMs, left: scenario.left() }
    })
    expect(value).toMatchObject({ state: 'error', alerts: ['POOL_FAILED'], left: null })
    expect(value.codes).toEqual(Array.from({ length: 3 }, () => 'INVARIANT_VIOLATED'))
    expect(value.endMs).toBeLessThan(SECOND)
  })
})
