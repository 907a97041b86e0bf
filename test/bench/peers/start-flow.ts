/** How both contestants of the start row are driven: start, measure, stop, again; the first start is a warm-up. */
import { median } from '../row.ts'
import { printFigures } from './flow.ts'

const SAMPLES = 5

export const executablePath = process.argv[2] ?? ''

/** Measures a contestant, `start` giving the ms of one start, and prints `{"readyMs": n}`. */
export async function measureStart(start: () => Promise<number>): Promise<void> {
  await start()
  const samples: number[] = []
  for (let i = 0; i < SAMPLES; i += 1) samples.push(await start())
  printFigures({ readyMs: median(samples) })
}
