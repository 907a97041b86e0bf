/**
 * poolifier at its best: a fixed pool of processes (its cluster pool) that sends each task at once, in turns, and
 * measures nothing.
 */
import { fileURLToPath } from 'node:url'
import { FixedClusterPool, WorkerChoiceStrategies } from 'poolifier'
import { measureFlow, WORKERS } from './flow.ts'

const file = fileURLToPath(new URL('./workers/poolifier.ts', import.meta.url))
const pool = new FixedClusterPool<null, null>(WORKERS, file, {
  enableEvents: false,
  enableTasksQueue: false,
  workerChoiceStrategy: WorkerChoiceStrategies.ROUND_ROBIN,
})
await measureFlow({ run: () => pool.execute(null), close: () => pool.destroy() })
