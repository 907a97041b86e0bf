/**
 * poolifier at its best: a fixed pool that sends each task at once, in turns, and measures nothing. The argument is
 * `cluster` (processes, the fair comparison) or `thread`.
 */
import { fileURLToPath } from 'node:url'
import { FixedClusterPool, FixedThreadPool, WorkerChoiceStrategies } from 'poolifier'
import { measureFlow, WORKERS } from './flow.ts'

const kind = process.argv[2] === 'thread' ? 'thread' : 'cluster'
const file = fileURLToPath(new URL(`./workers/poolifier-${kind}.ts`, import.meta.url))
const options = {
  enableEvents: false,
  enableTasksQueue: false,
  workerChoiceStrategy: WorkerChoiceStrategies.ROUND_ROBIN,
}
const pool =
  kind === 'thread'
    ? new FixedThreadPool<null, null>(WORKERS, file, options)
    : new FixedClusterPool<null, null>(WORKERS, file, options)
await measureFlow({ run: () => pool.execute(null), close: () => pool.destroy() })
