/** A pool that is paused, so that what is submitted stays queued: for the status and heap rows. */
import { createPoolActor } from 'troupe'

/** Resolves when the pool has started, has run a task, and is paused. */
export async function startQueuedPool(maxQueue: number) {
  const pool = createPoolActor({
    tasks: new URL('../tasks.ts', import.meta.url),
    workers: 1,
    maxQueue,
    logger: 'silent',
  }).start()
  await pool.run('noop', null)
  pool.pause()
  return pool
}
