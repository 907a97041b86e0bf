/**
 * What must hold in every row (`always`), and what it is to be at rest (`eventually`): the
 * invariants that users get and the simulation keeps too, over the model's rows.
 */
import { violationIn, type PoolView, pendingIn } from '../../src/testing/pool-invariants.ts'
import { AT, type System } from './system.ts'
import { viewOf } from './view.ts'

export function violationOf(system: System, row: ArrayLike<number>): string | null {
  const view = viewOf(system, row)
  return violationIn(view) ?? violationOfCharges(system, row, view)
}

/**
 * What one fault brings down is charged once: to the task that was alone in it, or to the restarts of
 * its slot. (Short of memory, workers go without a fault.)
 */
function violationOfCharges(
  { plan, ledger }: System,
  row: ArrayLike<number>,
  { crashes }: PoolView,
): string | null {
  if (plan.readings.includes('memory')) return null
  const struck = plan.faults - (row[AT.faults] as number)
  const { tasks } = ledger.at(row[AT.ledger] as number)
  const kills = tasks.reduce((sum, task) => sum + task.kills, 0)
  return crashes + kills > struck ? 'a death is charged to its task and to its slot' : null
}

/** `why` says what is not yet as it should be. */
export function pending(system: System, row: ArrayLike<number>): string | null {
  return pendingIn(viewOf(system, row))
}
