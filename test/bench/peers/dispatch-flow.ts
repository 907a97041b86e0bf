/** How both contestants of the dispatch row are driven: one task at a time, each after the last has settled. */
import { setImmediate as nextTick } from 'node:timers/promises'
import { quantile } from '../row.ts'
import { printFigures } from './flow.ts'

const WARM_UP_TASKS = 2_000
const TASKS = 10_000
const NS_PER_MS = 1e6

export interface DispatchContestant {
  /** Resolves with the ns at which the handler started. */
  readonly run: () => Promise<number>
  readonly close: () => unknown
}

/** Measures a contestant and prints `{"p50Ms": n, "p99Ms": n}`. */
export async function measureDispatch({ run, close }: DispatchContestant): Promise<void> {
  await delaysMs(run, WARM_UP_TASKS)
  const delays = await delaysMs(run, TASKS)
  await close()
  printFigures({ p50Ms: quantile(delays, 0.5), p99Ms: quantile(delays, 0.99) })
}

async function delaysMs(run: () => Promise<number>, tasks: number): Promise<number[]> {
  const delays: number[] = []
  for (let i = 0; i < tasks; i += 1) {
    await nextTick()
    const submitted = Number(process.hrtime.bigint())
    delays.push(((await run()) - submitted) / NS_PER_MS)
  }
  return delays
}
