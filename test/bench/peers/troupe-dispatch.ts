/** Troupe in the dispatch row: one idle browserless worker. */
import { createPoolActor } from 'troupe'
import { measureDispatch } from './dispatch-flow.ts'

const pool = createPoolActor({
  tasks: new URL('../tasks.ts', import.meta.url),
  workers: 1,
  logger: 'silent',
}).start()
await measureDispatch({
  run: async () => Number(await pool.run('clock', null)),
  close: () => pool.shutdown(),
})
