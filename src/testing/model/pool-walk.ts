/**
 * Takes a real pool along a path of the model: what a user does is done at once, one step after the
 * other; `settle` waits until the pool stands where the model comes to rest. It shuts nothing down:
 * the pool is its caller's.
 */
import type { StateValue } from 'xstate'
import type { PoolMethods } from '../../pool/actor.ts'
import type { PoolModelEvent } from './pool-model-logic.ts'

/** What is asked of a pool. `createPoolActor` makes one. */
export interface WalkablePool
  extends Pick<PoolMethods, 'pause' | 'resume' | 'drain' | 'scale' | 'shutdown'> {
  start(): unknown
  getSnapshot(): { readonly value: StateValue }
  subscribe(listener: () => void): { unsubscribe(): void }
}

export interface WalkOptions {
  /** ms that a pool may take to settle. Default 30,000. */
  readonly settleTimeout?: number
  /** Your own checks, after every step. */
  readonly check?: (step: PoolModelStep) => void | Promise<void>
}

const DEFAULT_SETTLE_TIMEOUT_MS = 30_000

/** `follow` moves the model and says where it stands then. */
export async function walkPool(
  path: PoolPath,
  pool: WalkablePool,
  { settleTimeout = DEFAULT_SETTLE_TIMEOUT_MS, check }: WalkOptions,
  follow: (event: PoolModelEvent) => StateValue,
): Promise<void> {
  const failures: unknown[] = []
  for (const [at, step] of path.steps.entries()) {
    const wanted = JSON.stringify(follow(step.event))
    const isThere = () => JSON.stringify(pool.getSnapshot().value) === wanted
    if (step.event.type === 'settle') await until(pool, isThere, settleTimeout)
    else perform(pool, step.event, (error) => failures.push(error))
    if (!isThere()) {
      const found = JSON.stringify(pool.getSnapshot().value)
      throw new Error(
        `${path.description}: after step ${at + 1} (${step.event.type}) the model stands in ` +
          `${wanted}, the pool in ${found}`,
      )
    }
    await check?.(step)
    if (failures.length > 0) throw failures[0]
  }
}

/** A scaling, a drain or a shutdown that another one overtakes is refused or ends early: that is fine. */
function perform(
  pool: WalkablePool,
  event: Exclude<PoolModelEvent, { type: 'settle' }>,
  failed: (error: unknown) => void,
): void {
  const later = (promise: Promise<void>) =>
    void promise.catch((error: { readonly code?: string }) => {
      if (error.code !== 'STATE_INVALID') failed(error)
    })
  switch (event.type) {
    case 'start':
      return void pool.start()
    case 'pause':
      return pool.pause()
    case 'resume':
      return pool.resume()
    case 'drain':
      return later(pool.drain())
    case 'scale':
      return later(pool.scale((event as { readonly workers: number }).workers))
    case 'stop':
      return later(pool.shutdown())
    case 'force':
      return later(pool.shutdown({ force: true }))
  }
}

/** Resolves when it is so, or when the time is over: the caller looks. */
async function until(pool: WalkablePool, isIt: () => boolean, limitMs: number): Promise<void> {
  if (isIt()) return
  await new Promise<void>((resolve) => {
    const end = () => {
      clearTimeout(timer)
      subscription.unsubscribe()
      resolve()
    }
    const timer = setTimeout(end, limitMs)
    const subscription = pool.subscribe(() => {
      if (isIt()) end()
    })
  })
}

export interface PoolModelStep {
  readonly event: PoolModelEvent
  /** Where the pool stands afterwards, as the machine names it: `running`, `starting.opening`. */
  readonly state: string
  /** How many workers are wanted there. */
  readonly workers: number
}

export interface PoolPath {
  /** As `start, settle, pause`. */
  readonly description: string
  readonly steps: readonly PoolModelStep[]
  /** Where it leads. */
  readonly state: string
}
