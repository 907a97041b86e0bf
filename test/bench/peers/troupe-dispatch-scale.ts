/**
 * Troupe in the dispatch-scale row: µs of the pool's own thread for each task, from its choice to
 * its end, while many wait. So many stay in the queue, give or take a tenth: where fewer wait than
 * that takes, new ones are handed in, and what this costs is taken off. Arguments: how many wait,
 * and `plain` or `mixed` (10,000 groups of which some are at their limit, priorities, requirements
 * and affinities). Prints `{"microseconds": n}`.
 */
import { createPoolActor, type TaskOptions } from 'troupe'
import { printFigures } from './flow.ts'

const WORKERS = 2
const CAPACITY = 32
const GROUPS = 10_000
/** Every so many groups have a limit. */
const LIMITED = 1_000
const REFILL = 500
const WARM_UP = 20_000
const TASKS = 60_000
const MAX_QUEUE = 2_000_000
/** Share of the queue that may be used up. */
const MAX_USED = 0.1
const PRIORITIES = [0, 5, 10, 10, 10, 20]
const REQUIREMENTS = [[], [], ['vpn'], ['print'], ['print', 'vpn']]

const [waiting, isMixed] = [Number(process.argv[2]), process.argv[3] === 'mixed']
const limits = Array.from({ length: GROUPS / LIMITED }, (_, index) => [
  `group ${index * LIMITED}`,
  1,
])
const pool = createPoolActor<typeof import('../tasks.ts')>({
  tasks: new URL('../tasks.ts', import.meta.url),
  workers: WORKERS,
  concurrentTasksPerWorker: CAPACITY,
  maxQueue: MAX_QUEUE,
  logger: 'silent',
  ...(isMixed && {
    groupConcurrency: Object.fromEntries(limits),
    capabilities: { 'worker-1': ['vpn', 'print'], 'worker-2': ['vpn'] },
  }),
}).start()

const isRefilled = WARM_UP + TASKS > MAX_USED * waiting
let made = 0
function submit(): void {
  const index = made
  made += 1
  const options: TaskOptions | undefined = isMixed
    ? {
        priority: PRIORITIES[index % PRIORITIES.length] as number,
        group: `group ${(index * 7) % GROUPS}`,
        requires: REQUIREMENTS[index % REQUIREMENTS.length] as string[],
        ...(index % 4 === 0 && { affinity: `key ${index % 64}` }),
      }
    : undefined
  pool.submit('noop', null, options)
}

/** µs of this thread since the process began. */
function spentMicroseconds(): number {
  const { user, system } = process.threadCpuUsage()
  return user + system
}

let submittingMicroseconds = 0
function refill(count: number): void {
  const before = spentMicroseconds()
  for (let turn = 0; turn < count; turn += 1) submit()
  submittingMicroseconds += spentMicroseconds() - before
}

/** Resolves when so many more have ended. */
function ended(count: number): Promise<void> {
  return new Promise((resolve) => {
    let left = count
    const { unsubscribe } = pool.on('task.succeeded', () => {
      left -= 1
      if (isRefilled && left % REFILL === 0) refill(REFILL)
      if (left > 0) return
      unsubscribe()
      resolve()
    })
  })
}

const isRunning = () => pool.status().state === 'running'
while (!isRunning()) await pool.run('noop', null)
pool.pause()
refill(waiting)
pool.resume()
await ended(WARM_UP)
submittingMicroseconds = 0
const before = spentMicroseconds()
await ended(TASKS)
const spent = spentMicroseconds() - before - submittingMicroseconds
await pool.shutdown({ force: true })
printFigures({ microseconds: spent / TASKS })
