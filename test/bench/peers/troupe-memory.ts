/** Troupe in the memory row: 4 workers, each running a task that holds the light page open. */
import { createPoolActor } from 'troupe'
import {
  executablePath,
  MEMORY_WORKERS,
  memoryPerWorker,
  pageUrl,
  printMemory,
} from './memory-flow.ts'

const pool = createPoolActor({
  tasks: new URL('../page-tasks.ts', import.meta.url),
  workers: MEMORY_WORKERS,
  browser: { executablePath },
}).start()
const handles = Array.from({ length: MEMORY_WORKERS }, () => pool.submit('hold', pageUrl))
await Promise.all(
  handles.map((handle) => new Promise<unknown>((resolve) => handle.onProgress(resolve))),
)
const pids = pool.status().workers.flatMap(({ pid }) => (pid === null ? [] : [pid]))
const megabytes = memoryPerWorker(pids)
await pool.shutdown({ force: true })
printMemory(megabytes)
