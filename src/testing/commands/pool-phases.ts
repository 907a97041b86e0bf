/** Where a pool may stand, as its user sees it: its phases and what may come at once after each. */
import type { Top, PoolPhase, DrivenPool } from './driven-pool.ts'
import { type PoolSnapshot, stateName, isDraining } from '../../pool/states.ts'

/** Where each state leads by itself, and where only if somebody asks. */
export const ALONE: Readonly<Record<Top, readonly Top[]>> = {
  idle: [],
  starting: ['running', 'error'],
  running: ['error'],
  paused: ['error'],
  stopping: ['idle'],
  error: [],
}

/** Nothing starts there; what runs may end. */
export const HELD: ReadonlySet<PoolPhase> = new Set([
  'idle',
  'paused',
  'pausedDraining',
  'stopping',
  'error',
])

export const DRAINING: ReadonlySet<PoolPhase> = new Set(['draining', 'pausedDraining'])

export function phaseOf(pool: DrivenPool): PoolPhase {
  const snapshot = pool.getSnapshot() as PoolSnapshot
  const top = stateName(snapshot.value)
  if (!isDraining(snapshot)) return top
  return top === 'paused' ? 'pausedDraining' : 'draining'
}

/** As the pool's news and status tell it. */
export function topOf(phase: PoolPhase): Top {
  if (phase === 'pausedDraining') return 'paused'
  return phase === 'draining' ? 'running' : phase
}
