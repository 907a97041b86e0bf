/**
 * Makes a schedule that fails as small as it can while it still fails: moves, faults and settings are
 * taken away one after the other. What comes out is smaller, not smallest.
 */
import type { Schedule } from './schedule.ts'

/** Lives that one shrinking may cost. */
const MAX_TRIES = 400

export async function shrunk(
  schedule: Schedule,
  fails: (schedule: Schedule) => Promise<boolean>,
): Promise<Schedule> {
  let best = schedule
  let tries = 0
  for (let isSmaller = true; isSmaller && tries < MAX_TRIES; ) {
    isSmaller = false
    for (const candidate of smaller(best)) {
      if (++tries > MAX_TRIES) break
      // Not every option can be left out: what is no valid pool is no smaller schedule.
      if (!(await fails(candidate).catch(() => false))) continue
      best = candidate
      isSmaller = true
      break
    }
  }
  return best
}

/** The large cuts first. */
function* smaller(schedule: Schedule): Generator<Schedule> {
  const { moves, faults, pool } = schedule
  for (let size = Math.floor(moves.length / 2); size >= 1; size = Math.floor(size / 2)) {
    for (let at = 0; at < moves.length; at += size) {
      yield { ...schedule, moves: moves.toSpliced(at, size) }
    }
  }
  for (const name of Object.keys(faults)) yield { ...schedule, faults: without(faults, name) }
  for (const [name, chance] of Object.entries(faults)) {
    if (chance < 1) yield { ...schedule, faults: { ...faults, [name]: 1 } }
  }
  for (const name of Object.keys(pool)) {
    yield { ...schedule, pool: without(pool as Record<string, unknown>, name) }
  }
  for (const [index, move] of moves.entries()) {
    if (move.do !== 'submit') continue
    for (const name of Object.keys(move.options)) {
      if (name === 'id') continue
      const options = without(move.options as Record<string, unknown>, name)
      yield { ...schedule, moves: moves.with(index, { ...move, options }) }
    }
  }
}

function without<T extends object>(from: T, name: string): T {
  return Object.fromEntries(Object.entries(from).filter(([other]) => other !== name)) as T
}
