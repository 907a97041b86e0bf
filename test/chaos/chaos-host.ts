/**
 * A process with a pool of one browser in it, to be killed: `node chaos-host.ts <runFolder>`. Says
 * how far it is.
 */
import { createPoolActor } from '../../src/index.ts'
import type { ChaosTasks } from './client-oracle.ts'

const [root = ''] = process.argv.slice(2)
const say = (line: string) => process.stdout.write(`${line}\n`)
const pool = createPoolActor<ChaosTasks>({
  tasks: new URL('./chaos-tasks.ts', import.meta.url),
  workers: 1,
  runFolder: root,
  logger: 'silent',
  cancelGrace: 300,
  closeTimeout: 2_000,
})
pool.on('pool.changed', ({ state }) => say(state))
pool.on('worker.ready', () => say('ready'))
pool.start()
await pool.run('visit', 1)
const busy = pool.run('never', null)
pool.on('task.started', () => say('up'))
await Promise.allSettled([busy])
