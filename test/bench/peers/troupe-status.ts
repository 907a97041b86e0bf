/** Troupe in the status row: how long `status()` takes with 100,000 tasks queued. Prints `{"statusMs": n}`. */
import { median } from '../row.ts'
import { printFigures } from './flow.ts'
import { startQueuedPool } from './queued-pool.ts'

const TASKS = 100_000
const CALLS = 1_001

const pool = await startQueuedPool(TASKS)
for (let i = 0; i < TASKS; i += 1) pool.submit('noop', null)
const durations = Array.from({ length: CALLS }, () => {
  const startMs = performance.now()
  const { tasks } = pool.status()
  const durationMs = performance.now() - startMs
  if (tasks.pending !== TASKS) throw new Error(`${tasks.pending} of ${TASKS} tasks are pending`)
  return durationMs
})
await pool.shutdown({ force: true })
printFigures({ statusMs: median(durations) })
