/**
 * What must hold in every row (`always`), and what it is to be at rest (`eventually`): the
 * invariants that users get and the simulation keeps too, over the model's rows.
 */
import { flawIn, unrestIn } from '../../src/testing/pool-invariants.ts'
import type { System } from './system.ts'
import { viewOf } from './view.ts'

export function flawOf(system: System, row: ArrayLike<number>): string | null {
  return flawIn(viewOf(system, row))
}

/** `why` says what is not yet as it should be. */
export function unrest(system: System, row: ArrayLike<number>): string | null {
  return unrestIn(viewOf(system, row))
}
