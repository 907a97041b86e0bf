/**
 * What must hold in every row (`always`), and what it is to be at rest (`eventually`). Each rule
 * reads a row and says what is wrong with it, or null.
 */
import type { PoolContext } from '../../machines/pool-facts.ts'
import type { SupervisorContext } from '../../machines/supervisor-facts.ts'
import type { WorkerContext } from '../../machines/worker-facts.ts'
import { ENDED, WAITING } from './ledger-state.ts'
import { slotName } from './routes.ts'
import { AT, hostAt, type System, workerAt } from './system.ts'

/** What the ledger believes to run in a process, and what its worker counts, is the same. */
export function flawOf(system: System, row: ArrayLike<number>): string | null {
  const ledger = system.ledger.at(row[AT.ledger] as number)
  const supervisor = system.supervisor.at(row[AT.supervisor] as number)
  const { crashesMs } = supervisor.context as SupervisorContext
  if (supervisor.matches({ restarts: 'closed' }) && crashesMs.length > system.plan.intensity) {
    return 'more crashes than the intensity allows, and the breaker is closed'
  }
  let seats = 0
  for (let slot = 0; slot < system.plan.workers; slot++) {
    const { processes } = system.host.at(row[hostAt(slot)] as number)
    const { current, retiree } = system.worker.at(row[workerAt(slot)] as number)
      .context as WorkerContext
    for (const crew of [current, retiree]) {
      if (crew === null) continue
      if (!processes.some(({ incarnation }) => incarnation === crew.incarnation)) {
        return 'a worker serves with a process that is gone'
      }
      const seat = ledger.seats.find(
        (one) => one.slot === slotName(slot) && one.incarnation === crew.incarnation,
      )
      if (seat) seats++
      if ((seat?.tasks.length ?? 0) !== crew.inFlight) {
        return `a worker counts ${crew.inFlight} tasks in flight, the ledger ${seat?.tasks.length ?? 0}`
      }
    }
  }
  if (seats !== ledger.seats.length)
    return 'the ledger keeps a seat of a process that no worker has'
  const seated = new Set(ledger.seats.flatMap(({ tasks }) => tasks))
  for (const [at, { state, isSubmitted }] of ledger.tasks.entries()) {
    const isSeated = seated.has(at)
    if (ENDED.has(state) && isSeated) return 'a task has ended and still has a seat'
    if (isSubmitted && !ENDED.has(state) && isSeated === WAITING.has(state)) {
      return `a task is ${state} and has ${isSeated ? 'a' : 'no'} seat`
    }
  }
  return null
}

/**
 * At rest: nothing is under way, and nothing that was asked for is missing. `why` says what is not
 * yet as it should be.
 */
export function unrest(system: System, row: ArrayLike<number>): string | null {
  const ledger = system.ledger.at(row[AT.ledger] as number)
  const pool = system.poolValue(row)
  const context = system.pool.at(row[AT.pool] as number).context as PoolContext
  const { size, ready, failed, alive } = context
  const living = ledger.tasks.filter(({ isSubmitted, state }) => isSubmitted && !ENDED.has(state))
  let processes = 0
  let leaving = 0
  for (let slot = 0; slot < system.plan.workers; slot++) {
    const hosted = system.host.at(row[hostAt(slot)] as number).processes
    processes += hosted.length
    leaving += hosted.filter(
      ({ phase, isLeaving, isKilled, isHung }) =>
        phase !== 'ready' || isLeaving || isKilled || isHung,
    ).length
  }
  if (ledger.isDispatchDue) return 'dispatch is due'
  if (system.keeper.at(row[AT.keeper] as number).work.length > 0) return 'the run folder is at work'
  if (pool === 'starting' || pool === 'stopping') return `the pool is still ${pool}`
  const leave = system.supervisor.at(row[AT.supervisor] as number).context as SupervisorContext
  if (leave.starting.length > 0) return 'leave to start is held by nobody who starts'
  if (leave.waiting.length > 0) return 'a slot waits for leave to start'
  if (pool === 'idle' || pool === 'error') {
    if (living.length > 0) return `the pool is ${pool} and a task has not ended`
    if (processes > 0) return `the pool is ${pool} and a process lives`
    if (alive.length > 0) return `the pool is ${pool} and counts workers`
    return system.isAnyWorker(row, ({ life }) => life !== 'stopped')
      ? `the pool is ${pool} and a worker has not stopped`
      : null
  }
  const served = new Set([...ready, ...failed]).size
  if (served < size) return 'a wanted worker is neither ready nor failed'
  if (leaving > 0 || processes !== ready.length) return 'a process is on its way'
  if (pool === 'paused') {
    return living.some(({ state }) => state !== 'queued')
      ? 'a task is under way in a paused pool'
      : null
  }
  if (living.length > 0) return 'a task has not ended'
  const isDraining = JSON.stringify(system.pool.at(row[AT.pool] as number).value).includes(
    'draining',
  )
  return isDraining ? 'the pool drains and nothing is left' : null
}
