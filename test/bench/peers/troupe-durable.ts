/**
 * Troupe in the row `durable`: `node troupe-durable.ts each|batched|none`. A task counts once it was acknowledged and
 * has ended; its file lies on the machine's disk, not in memory.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { createPoolActor } from 'troupe'
import { FOLDER } from './disk-folder.ts'
import { IN_FLIGHT, measureFlow, WORKERS } from './flow.ts'

const [durability = 'each'] = process.argv.slice(2)
const folder = mkdtempSync(join(FOLDER, 'troupe-durable-'))
const store =
  durability === 'none'
    ? {}
    : { store: { path: join(folder, 'pool.db'), durability: durability as 'each' | 'batched' } }
const pool = createPoolActor({
  tasks: new URL('../tasks.ts', import.meta.url),
  workers: WORKERS,
  concurrentTasksPerWorker: IN_FLIGHT / WORKERS,
  logger: 'silent',
  ...store,
}).start()

async function run(): Promise<void> {
  const handle = pool.submit('noop', null)
  await handle.stored()
  await handle.result()
}

await measureFlow({
  run,
  close: async () => {
    await pool.shutdown()
    rmSync(folder, { recursive: true, force: true })
  },
})
