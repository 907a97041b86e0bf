/** The cells of the fault matrix as tests: see `test/process/matrix.test.ts`. */
import { describe, test } from 'vitest'
import { CellScenario, refusalFor } from './fault-cell.ts'
import { SCENES } from './fault-scenes.ts'
import { CELLS, type Moment } from './fault-table.ts'

/** Declares a test for every fault that makes sense at one of these moments. */
export function describeMoments(moments: readonly Moment[]): void {
  describe.each(moments)('%s', (moment) => {
    const here = CELLS.filter((cell) => cell.moment === moment)
    test.each(here.map((cell) => [cell.fault.name, cell] as const))('%s', async (_, cell) => {
      using _refusal = refusalFor(cell)
      await using scenario = new CellScenario(cell)
      await SCENES[cell.moment](scenario)
      await scenario.capacityIsBack()
      await scenario.endsInBound()
      scenario.oracleAgrees()
    })
  })
}
