/**
 * Where a worker process begins; the pool forks this file by its path. It loads as little as it can before the task
 * file has said what it needs, and it never outlives its pool.
 */
import { fstatSync } from 'node:fs'
import module from 'node:module'
import { CHANNEL_FD } from '../process/ipc/channel.ts'
import { WORKER_INIT_VARIABLE, type WorkerInit } from '../process/ipc/protocol.ts'

/** sysexits' EX_USAGE: started by hand, without a pool. */
const EXIT_NO_POOL = 64

const text = process.env[WORKER_INIT_VARIABLE]
if (text === undefined || !isChannel(CHANNEL_FD)) {
  process.stderr.write('This file is a worker of Troupe. It is started by a pool, not by hand.\n')
  process.exit(EXIT_NO_POOL)
}
const init = JSON.parse(text) as WorkerInit
// What tasks and browsers start is no worker of the pool.
delete process.env[WORKER_INIT_VARIABLE]
process.title = `troupe ${init.slot}`
module.enableCompileCache(init.compileCache)

const [{ Child }, { ProcessHome }] = await Promise.all([
  import('./child.ts'),
  import('./child-host.ts'),
])
new Child(init, new ProcessHome()).start()

function isChannel(descriptor: number): boolean {
  try {
    const stat = fstatSync(descriptor)
    return stat.isSocket() || stat.isFIFO()
  } catch {
    return false
  }
}
