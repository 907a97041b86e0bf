/** Troupe in the noop row: browserless workers, as many tasks at once as are in flight. */
import { createPoolActor } from 'troupe'
import { IN_FLIGHT, measureFlow, WORKERS } from './flow.ts'

const pool = createPoolActor({
  tasks: new URL('../tasks.ts', import.meta.url),
  workers: WORKERS,
  concurrentTasksPerWorker: IN_FLIGHT / WORKERS,
  logger: 'silent',
}).start()
await measureFlow({ run: () => pool.run('noop', null), close: () => pool.shutdown() })
