/**
 * Troupe in the heap row: bytes per queued task beyond its payload. The payloads exist before the first reading.
 * Needs `node --expose-gc`. Prints `{"bytesPerTask": n}`.
 */
import { printFigures } from './flow.ts'
import { startQueuedPool } from './queued-pool.ts'

const TASKS = 1_000_000

function usedBytes(): number {
  if (!globalThis.gc) throw new Error('run with node --expose-gc')
  globalThis.gc()
  globalThis.gc()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

const payloads = Array.from({ length: TASKS }, (_, i) => ({ order: i }))
const pool = await startQueuedPool(TASKS)
const before = usedBytes()
for (const payload of payloads) pool.submit('noop', payload)
const after = usedBytes()
const { pending } = pool.status().tasks
if (pending !== payloads.length) throw new Error(`${pending} of ${payloads.length} are pending`)
await pool.shutdown({ force: true })
printFigures({ bytesPerTask: (after - before) / TASKS })
