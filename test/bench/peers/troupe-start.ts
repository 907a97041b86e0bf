/**
 * Troupe in the start row: from the fork of a worker to its `worker.ready`, one worker. The moment of the fork is taken
 * from Node's own diagnostics channel, so that it is not our word.
 */
import type { ChildProcess } from 'node:child_process'
import { subscribe } from 'node:diagnostics_channel'
import { createPoolActor } from 'troupe'
import { executablePath, measureStart } from './start-flow.ts'

const forks: { readonly child: ChildProcess; readonly atMs: number }[] = []
subscribe('child_process', (message) => {
  const { process: child } = message as { process: ChildProcess }
  forks.push({ child, atMs: performance.now() })
})

await measureStart(async () => {
  const pool = createPoolActor({
    tasks: new URL('../page-tasks.ts', import.meta.url),
    workers: 1,
    browser: { executablePath },
  })
  const ready = new Promise<{ pid: number; atMs: number }>((resolve) => {
    pool.on('worker.ready', ({ pid }) => resolve({ pid, atMs: performance.now() }))
  })
  pool.start()
  const { pid, atMs } = await ready
  const forked = forks.find(({ child }) => child.pid === pid)
  await pool.shutdown()
  if (!forked) throw new Error(`the worker ${pid} was not seen being forked`)
  return atMs - forked.atMs
})
