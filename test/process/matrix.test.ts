/**
 * Every fault at every moment of a worker's life (G1, G3, G4, G5), over real processes. Each cell ends with its tasks
 * ended once, its slot at work again, and nothing left on the machine. The moments at which a process leaves are in
 * `matrix-leaving.test.ts`: the two run side by side.
 */
import { expect, test } from 'vitest'
import { describeMoments } from '../support/fault-matrix.ts'
import { CELLS, FAULTS, LEAVING, MOMENTS, SENSELESS } from '../support/fault-table.ts'

describeMoments(MOMENTS.filter((moment) => !LEAVING.includes(moment)))

test('no cell is left out without a reason', () => {
  expect(CELLS.length + SENSELESS.length).toBe(FAULTS.length * MOMENTS.length)
  expect(SENSELESS.filter(([, , reason]) => reason === '')).toEqual([])
})
