/**
 * A pool for one test: its own root for run folders, quiet, and ended with the test. Its end is not
 * taken on trust: the census of the operating system must find nothing left. What it did is recorded
 * and taken again by the machines once the file's tests are over (`recorded-pools.ts`).
 */
import { createPoolActor, type PoolActor, type PoolOptions } from '../../src/index.ts'
import { parseConfig } from '../../src/config/parse.ts'
import { poolActorOf } from '../../src/pool/actor.ts'
import { PoolRuntime } from '../../src/pool/runtime.ts'
import type { World } from '../../src/pool/host/world.ts'
import { type Census, nothingLeft, takeCensus } from './census.ts'

export const PLAIN_TASKS = new URL('../fixtures/plain-tasks.ts', import.meta.url)
const BROWSER_TASKS = new URL('../fixtures/browser-tasks.ts', import.meta.url)
export type PlainTasks = typeof import('../fixtures/plain-tasks.ts')
type BrowserTasks = typeof import('../fixtures/browser-tasks.ts')

/** G3's own limit. */
const NOTHING_LEFT_WITHIN_MS = 2_000

export interface PoolUnderTest<M> extends AsyncDisposable {
  readonly pool: PoolActor<M>
  readonly census: Census
}

/** `world`: in place of the machine it runs on. */
export function poolUnderTest<M>(options: PoolOptions, world?: World): PoolUnderTest<M> {
  const census = takeCensus()
  const make =
    world === undefined ? createPoolActor<M> : (all: PoolOptions) => poolIn<M>(all, world)
  const pool = make({
    runFolder: census.root,
    logger: 'silent',
    signals: false,
    cancelGrace: 300,
    ...options,
    task: { backoff: { delay: 20 }, ...options.task },
  })
  return {
    pool,
    census,
    [Symbol.asyncDispose]: async () => {
      await pool.shutdown({ force: true })
      try {
        await nothingLeft(census, { withinMs: NOTHING_LEFT_WITHIN_MS })
      } finally {
        census[Symbol.dispose]()
      }
    },
  }
}

function poolIn<M>(options: PoolOptions, world: World): PoolActor<M> {
  return poolActorOf<M>(new PoolRuntime(parseConfig(options), world))
}

/** A pool of browserless tasks. */
export function plainPool(
  options: Partial<PoolOptions> = {},
  world?: World,
): PoolUnderTest<PlainTasks> {
  return poolUnderTest<PlainTasks>({ tasks: PLAIN_TASKS, workers: 1, ...options }, world)
}

/** A pool with a real Chromium in each worker. */
export function browserPool(options: Partial<PoolOptions> = {}): PoolUnderTest<BrowserTasks> {
  return poolUnderTest<BrowserTasks>({ tasks: BROWSER_TASKS, workers: 1, ...options })
}

/** Resolves with the first event of that type (that satisfies `isIt`). */
export function nextEvent<T extends Parameters<PoolActor['on']>[0]>(
  pool: PoolActor<never>,
  type: T,
  isIt: (event: unknown) => boolean = () => true,
): Promise<unknown> {
  return new Promise((resolve) => {
    const { unsubscribe } = pool.on(type, (event) => {
      if (!isIt(event)) return
      unsubscribe()
      resolve(event)
    })
  })
}
