/**
 * A world in which all goes well, for the pool machine: who is told to start gets ready, who is told
 * to stop stops, a shutdown ends. It answers until nobody waits for an answer any more.
 */
import { type AnyMachineSnapshot, transition } from 'xstate'
import type { PoolContext, PoolEvent } from '../../../machines/pool.setup.ts'
import { poolMachine } from '../../../machines/index.ts'

/** More answers than this to one question are a quarrel without end. */
const MAX_ANSWERS = 1_000

/** Where the pool comes to rest. @throws Error when it never does */
export function settled(snapshot: AnyMachineSnapshot): AnyMachineSnapshot {
  let at = snapshot
  let isEnding = false
  for (let count = 0; count < MAX_ANSWERS; count++) {
    const answer = answerTo(at, isEnding)
    if (answer === null) return at
    isEnding = answer.type === 'workers.end' || (isEnding && at.value === 'stopping')
    at = transition(poolMachine, at as never, answer)[0] as AnyMachineSnapshot
  }
  throw new Error(`the pool machine does not come to rest in ${JSON.stringify(at.value)}`)
}

/** What the world says next, or null when the pool waits for nothing. */
function answerTo(pool: AnyMachineSnapshot, isEnding: boolean): PoolEvent | null {
  const { alive, serving, spares, ready, warm } = pool.context as PoolContext
  const leaving = alive.find((slot) => !serving.includes(slot) && !spares.includes(slot))
  const [oldest] = alive
  const coming = serving.find((slot) => !ready.includes(slot))
  const cold = spares.find((slot) => !warm.includes(slot))
  if (pool.matches({ starting: 'opening' })) return { type: 'run.opened' }
  if (pool.matches({ running: 'draining' })) return { type: 'ledger.emptied' }
  if (pool.matches('stopping')) {
    if (!isEnding) return { type: 'workers.end', how: 'stop' }
    if (oldest === undefined) return { type: 'shutdown.finished', clean: true }
    return { type: 'worker.stopped', slot: oldest }
  }
  if (pool.matches('idle') || pool.matches('error')) {
    return oldest === undefined ? null : { type: 'worker.stopped', slot: oldest }
  }
  if (leaving !== undefined) return { type: 'worker.stopped', slot: leaving }
  if (coming !== undefined) return { type: 'worker.ready', slot: coming }
  return cold === undefined ? null : { type: 'worker.warmed', slot: cold }
}
