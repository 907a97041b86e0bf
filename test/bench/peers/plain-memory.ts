/** Beside the memory row: 4 workers written by hand, each with the light page open. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import {
  executablePath,
  MEMORY_WORKERS,
  memoryPerWorker,
  pageUrl,
  printMemory,
} from './memory-flow.ts'

const file = fileURLToPath(new URL('./workers/plain-browser.ts', import.meta.url))
const workers = Array.from({ length: MEMORY_WORKERS }, () => fork(file, [executablePath]))
await Promise.all(workers.map((worker) => once(worker, 'message')))
await Promise.all(
  workers.map((worker) => {
    const open = once(worker, 'message')
    worker.send(pageUrl)
    return open
  }),
)
const megabytes = memoryPerWorker(workers.map((worker) => worker.pid ?? 0))
await Promise.all(
  workers.map((worker) => {
    worker.send('close')
    return once(worker, 'exit')
  }),
)
printMemory(megabytes)
