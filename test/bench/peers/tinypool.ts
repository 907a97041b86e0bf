/** tinypool at its best: child processes, as many tasks at once as are in flight. */
import Tinypool from 'tinypool'
import { IN_FLIGHT, measureFlow, WORKERS } from './flow.ts'

const pool = new Tinypool({
  filename: new URL('./workers/noop.ts', import.meta.url),
  runtime: 'child_process',
  minThreads: WORKERS,
  maxThreads: WORKERS,
  concurrentTasksPerWorker: IN_FLIGHT / WORKERS,
  serialization: 'json',
})
await measureFlow({ run: () => pool.run(null), close: () => pool.destroy() })
