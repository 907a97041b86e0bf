/**
 * Which workers of a pool have a process of their own. With `parallel: false` none has; with
 * `parallel: 'auto'` those have none for which the system grants none; and with `sequentialBelow` the
 * first worker begins without one. It only chooses where a worker lives.
 */
import type { PoolConfig } from '../../config/parse.ts'
import { realWorld, type World } from './world.ts'
import type { WorkerInit } from '../../process/ipc/protocol.ts'
import { InProcessWorker } from '../../process/in-process-worker.ts'
import type { WorkerHandle, WorkerProcessEvents } from '../../process/worker-handle.ts'

/** The worker that begins without a process. */
export const FIRST_SLOT = 'worker-1'

type Choice = Pick<PoolConfig, 'parallel' | 'sequentialBelow'>

/** The machine, as a pool with this configuration uses it. */
export function worldFor(config: Choice): World {
  const world = realWorld()
  const here = (init: WorkerInit, events: WorkerProcessEvents) =>
    new InProcessWorker(init, events, world.clock)
  return {
    ...world,
    fork: (init, events) => {
      if (config.parallel === false || beginsHere(config, init)) return here(init, events)
      if (config.parallel === true) return world.fork(init, events)
      return apartOr(world.fork, here, init, events)
    },
  }
}

function beginsHere({ sequentialBelow }: Choice, { slot, incarnation }: WorkerInit): boolean {
  return sequentialBelow > 0 && slot === FIRST_SLOT && incarnation === 1
}

/** A process without a pid is none: its failure is told to nobody, for another stands in. */
function apartOr(
  apart: World['fork'],
  here: World['fork'],
  init: WorkerInit,
  events: WorkerProcessEvents,
): WorkerHandle {
  const process = apart(init, {
    ...events,
    exited: (exit, error) => {
      if (process.pid !== null) return events.exited(exit, error)
      const why = error?.message ?? 'for no reason given'
      events.trouble(`no process could be forked (${why}): its tasks run in the pool's own`)
    },
  })
  return process.pid === null ? here(init, events) : process
}
