/**
 * Every fault at every moment of a worker's life (G1, G3, G4, G5), over real processes. Each cell ends with its tasks
 * ended once, its slot at work again, and nothing left on the machine.
 */
import { describe, expect, test } from 'vitest'
import { CellStage, refusalFor } from '../support/fault-cell.ts'
import { SCENES } from '../support/fault-scenes.ts'
import { CELLS, FAULTS, MOMENTS, SENSELESS } from '../support/fault-table.ts'

describe.each(MOMENTS)('%s', (moment) => {
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

test('no cell is left out without a reason', () => {
  expect(CELLS.length + SENSELESS.length).toBe(FAULTS.length * MOMENTS.length)
  expect(SENSELESS.filter(([, , reason]) => reason === '')).toEqual([])
})
