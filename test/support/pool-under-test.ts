/**
 * A pool for one test: its own root for run folders, quiet, and ended with the test. Its end is not
 * taken on trust: the census of the operating system must find nothing left.
 */
import { createPoolActor, type PoolActor, type PoolOptions } from '../../src/index.ts'
import { Conformance } from './conformance.ts'
import { type Census, nothingLeft, takeCensus } from './census.ts'

export const PLAIN_TASKS = new URL('../fixtures/plain-tasks.ts', import.meta.url)
export const BROWSER_TASKS = new URL('../fixtures/browser-tasks.ts', import.meta.url)
export type PlainTasks = typeof import('../fixtures/plain-tasks.ts')
export type BrowserTasks = typeof import('../fixtures/browser-tasks.ts')

/** G3's own limit. */
const NOTHING_LEFT_WITHIN_MS = 2_000

export interface PoolUnderTest<M> extends AsyncDisposable {
  readonly pool: PoolActor<M>
  readonly census: Census
}

export function poolUnderTest<M>(options: PoolOptions): PoolUnderTest<M> {
  const census = takeCensus()
  const conformance = new Conformance()
  const pool = createPoolActor<M>(
    {
      runFolder: census.root,
      logger: 'silent',
      signals: false,
      cancelGrace: 300,
      ...options,
      task: { backoff: { delay: 20 }, ...options.task },
    },
    { inspect: conformance.inspect },
  )
  return {
    pool,
    census,
    [Symbol.asyncDispose]: async () => {
      await pool.shutdown({ force: true })
      if (conformance.differences.length > 0) {
        throw new Error(`not as the machines say:\n${conformance.differences.join('\n')}`)
      }
      try {
        await nothingLeft(census, { withinMs: NOTHING_LEFT_WITHIN_MS })
      } finally {
        census[Symbol.dispose]()
      }
    },
  }
}

/** A pool of browserless tasks. */
export function plainPool(options: Partial<PoolOptions> = {}): PoolUnderTest<PlainTasks> {
  return poolUnderTest<PlainTasks>({ tasks: PLAIN_TASKS, workers: 1, ...options })
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
