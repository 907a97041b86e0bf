/** The cells of the fault matrix as tests: see `test/process/matrix.test.ts`. */
import { describe, test } from 'vitest'
import { CellStage, refusalFor } from './fault-cell.ts'
import { SCENES } from './fault-scenes.ts'
import { CELLS, type Moment } from './fault-table.ts'

/** Declares a test for every fault that makes sense at one of these moments. */
export function describeMoments(moments: readonly Moment[]): void {
  describe.each(moments)('%s', (moment) => {
    const here = CELLS.filter((cell) => cell.moment === moment)
    test.each(here.map((cell) => [cell.fault.name, cell] as const))('%s', async (_, cell) => {
      using _refusal = refusalFor(cell)
      await using stage = new CellStage(cell)
      await SCENES[cell.moment](stage)
      await stage.capacityIsBack()
      await stage.endsInBound()
      stage.booksAreRight()
    })
  })
}
