/**
 * What a simulated machine really did, compared with what the pool says: functions that say what is
 * wrong, or null. The rules for the pool's own inside are in `invariants.ts`.
 */
import type { TaskOutcome } from '../api/task.ts'
import type { Leftovers } from './simulation/virtual-machine.ts'
import type { Action, WorldTruth } from './simulation/virtual-tasks.ts'

/** Codes of what comes of a task that was accepted and did not succeed. */
export const FALLS = [
  'TASK_FAILED',
  'TASK_TIMED_OUT',
  'TASK_EXPIRED',
  'TASK_CANCELLED',
  'WORKER_LOST',
  'BROWSER_LOST',
  'DEPENDENCY_FAILED',
  'WORKER_START_FAILED',
  'RESTARTS_EXHAUSTED',
] as const

/** A task is submitted, and then it is in exactly one place. */
export function violationOfBalance(counts: {
  readonly submitted: number
  readonly pending: number
  readonly active: number
  readonly succeeded: number
  readonly failed: number
  readonly cancelled: number
}): string | null {
  const { submitted, pending, active, succeeded, failed, cancelled } = counts
  if (pending < 0 || active < 0)
    return `a count below nothing: ${pending} pending, ${active} active`
  const sum = pending + active + succeeded + failed + cancelled
  return sum === submitted
    ? null
    : `${submitted} tasks were submitted, and ${sum} are accounted for`
}

/** A slot has one process and perhaps its successor. */
export function violationOfCrowd(
  processes: Iterable<{
    readonly init: { readonly slot: string }
    readonly life: string
    readonly isOrphan: boolean
  }>,
): string | null {
  const living = new Map<string, number>()
  for (const { init, life, isOrphan } of processes) {
    if (life !== 'living' || isOrphan) continue
    const count = (living.get(init.slot) ?? 0) + 1
    if (count > 2) return `${init.slot} has ${count} living processes`
    living.set(init.slot, count)
  }
  return null
}

/** A pool that was shut down has left nothing. */
export function violationOfLeftovers(leftovers: Leftovers): string | null {
  const left = Object.entries(leftovers).flatMap(([what, found]: [string, unknown]) => {
    const count = Array.isArray(found) ? found.length : Number(found)
    return count === 0
      ? []
      : [`${count} ${what}${Array.isArray(found) ? ` (${found.join()})` : ''}`]
  })
  return left.length === 0 ? null : `left after the shutdown: ${left.join(', ')}`
}

/** A success was one, and what was stopped has stopped. */
export function violationOfOutcome(outcome: TaskOutcome, truth: WorldTruth): string | null {
  const { taskId, attempts } = outcome
  if (outcome.status === 'succeeded') {
    if (outcome.cached === true) return null
    const isTrue = truth.isFinished(taskId, attempts)
    return isTrue ? null : `${taskId} succeeded, and its attempt ${attempts} never finished`
  }
  const wasStopped = outcome.status === 'cancelled' || outcome.error.code === 'TASK_TIMED_OUT'
  const running = truth.running(taskId).filter(({ attempt }) => attempt === attempts)
  if (!wasStopped || running.length === 0) return null
  const where = running.map(({ process }) => process.scope.name).join(', ')
  return `${taskId} is told as ${outcome.error.code}, and its code still runs in ${where}`
}

/**
 * As a handler starts: none of the same task may still run. With a browser it may: a lost tab ends the
 * attempt, and its code learns of it at its next step.
 */
export function violationOfStart(action: Action, earlier: readonly Action[]): string | null {
  if (action.needsBrowser) return null
  const running = earlier.find(
    ({ state, process }) => state === 'running' && process.life === 'living',
  )
  if (running === undefined) return null
  return `${action.taskId} starts in ${action.process.scope.name} while it runs in ${running.process.scope.name}`
}

/** As a handler starts that must not be repeated: every earlier start is known to have failed. */
export function violationOfRepetition(action: Action, earlier: readonly Action[]): string | null {
  const unknown = earlier.find(({ state }) => state !== 'failed')
  if (unknown === undefined) return null
  return `${action.taskId} may not be repeated, and its attempt ${unknown.attempt} was ${unknown.state}`
}
