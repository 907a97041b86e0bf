/** jest-worker at its best: processes, one method exposed. It gives a process one task at a time. */
import { fileURLToPath } from 'node:url'
import { type JestWorkerFarm, Worker } from 'jest-worker'
import { measureFlow, WORKERS } from './flow.ts'
import type { noop } from './workers/noop.ts'

const file = fileURLToPath(new URL('./workers/noop.ts', import.meta.url))
const farm = new Worker(file, {
  numWorkers: WORKERS,
  exposedMethods: ['noop'],
  forkOptions: { serialization: 'json' },
}) as JestWorkerFarm<{ noop: typeof noop }>
await farm.start()
await measureFlow({ run: () => farm.noop(), close: () => farm.end() })
