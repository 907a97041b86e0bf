/** What the user of the pool may do now, as the pool's methods allow it. */
import type { EventObject } from 'xstate'
import { ACTIVE, ENDED } from './ledger-state.ts'
import type { UserMessage } from './plan.ts'
import { AT, type System } from './system.ts'

interface UserMove {
  readonly to: 'pool' | 'ledger'
  readonly event: EventObject
}

export function userMoves(
  system: System,
  row: ArrayLike<number>,
  users: ReadonlySet<UserMessage>,
): readonly UserMove[] {
  const { tasks } = system.ledger.at(row[AT.ledger] as number)
  const { value } = system.pool.at(row[AT.pool] as number)
  const pool = system.poolValue(row)
  const isDraining = JSON.stringify(value).includes('draining')
  const isUp = pool === 'starting' || pool === 'running' || pool === 'paused'
  const isFresh = tasks.every(({ isSubmitted }) => !isSubmitted)
  const moves: UserMove[] = []
  const say = (isAllowed: boolean, event: EventObject & { readonly [key: string]: unknown }) => {
    if (isAllowed) moves.push({ to: 'pool', event })
  }
  const may = (message: UserMessage) => users.has(message)
  say(pool === 'idle' && (may('restart') || isFresh), { type: 'pool.start' })
  say(pool === 'running' && may('pause'), { type: 'pool.pause' })
  say(pool === 'paused', { type: 'pool.resume' })
  say(pool === 'running' && !isDraining && may('drain'), { type: 'pool.drain' })
  say((isUp || pool === 'error') && may('stop'), { type: 'pool.stop', force: false })
  say(pool !== 'idle' && may('force'), { type: 'pool.stop', force: true })
  say(pool === 'error' && may('recover'), { type: 'pool.recover' })
  for (let workers = 1; workers <= system.plan.workers - system.plan.standby; workers++) {
    say(isUp && may('scale'), { type: 'pool.scale', workers })
  }
  return [...moves, ...taskMoves(system, row, isUp && !isDraining, may('cancel'))]
}

/** Tasks are alike: the next to be submitted is any of them. */
function taskMoves(
  system: System,
  row: ArrayLike<number>,
  isOpen: boolean,
  mayCancel: boolean,
): readonly UserMove[] {
  const { tasks } = system.ledger.at(row[AT.ledger] as number)
  const moves: UserMove[] = []
  const say = (type: string, task: number) =>
    moves.push({ to: 'ledger', event: { type, task } as EventObject })
  const next = tasks.findIndex(({ isSubmitted }) => !isSubmitted)
  if (isOpen && next >= 0) say('task.submitted', next)
  for (const [task, { state, isSubmitted, reason }] of tasks.entries()) {
    const isStopping = ACTIVE.has(state) && reason !== null
    if (mayCancel && isSubmitted && !ENDED.has(state) && !isStopping) say('task.cancel', task)
  }
  return moves
}
