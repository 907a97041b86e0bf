/** workerpool at its best: processes, all of them started beforehand. It gives a process one task at a time. */
import { fileURLToPath } from 'node:url'
import workerpool from 'workerpool'
import { measureFlow, WORKERS } from './flow.ts'

const pool = workerpool.pool(fileURLToPath(new URL('./workers/workerpool.ts', import.meta.url)), {
  workerType: 'process',
  minWorkers: WORKERS,
  maxWorkers: WORKERS,
  forkOpts: { serialization: 'json' },
})
await measureFlow({ run: () => pool.exec('noop', []), close: () => pool.terminate(true) })
