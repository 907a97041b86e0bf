/** What a program does to the pool from outside, in the middle of its work: it costs the work it hits, no more. */
import { expect, test } from 'vitest'
import { stranger } from './support/stranger.ts'

const TASKS = `
  import { defineTasks, task } from 'troupe'
  const plain = { browser: false }
  export default defineTasks({
    echo: task(plain, ({ payload }) => payload),
    steps: task(plain, ({ progress }) => { progress(1); return 'done' }),
  })
`
const POOL = `
  import { createPoolActor } from 'troupe'
  const begin = (options = {}, actorOptions) =>
    createPoolActor({ tasks: new URL('./tasks.mjs', import.meta.url), workers: 2, ...options }, actorOptions).start()
  const say = (facts) => console.log(JSON.stringify(facts))
  const codeOf = (promise) => promise.then((value) => ({ value }), (error) => ({ code: error.code }))
  const end = async (pool) => {
    const begunMs = performance.now()
    await pool.shutdown()
    return performance.now() - begunMs < 5_000
  }
`
const run = (main: string) => stranger({ 'main.mjs': POOL + main, 'tasks.mjs': TASKS })

// From outside: 10 tasks never settled, shutdown took 35 s, two processes lived on.
test('keeps the promise of each job in the job itself', async () => {
  const { code, lines, left } = await run(`
    const pool = begin({ workers: 1 })
    const jobs = [{ id: 1 }, { id: 2 }]
    for (const job of jobs) job.done = pool.run('echo', job)
    const outcomes = await Promise.all(jobs.map((job) => codeOf(job.done)))
    const after = await codeOf(pool.run('echo', 'after'))
    say({ settled: outcomes.length, after, state: pool.status().state, isFast: await end(pool) })
  `)
  expect({ code, left }).toEqual({ code: 0, left: [] })
  expect(lines).toEqual([{ settled: 2, after: { value: 'after' }, state: 'running', isFast: true }])
})

// Agents that watch a program (tracing, profiling) patch spawn and kill, and sometimes throw in them.
test('patches spawn and kill, and throws in them now and then', async () => {
  const { code, lines, left } = await run(`
    import childProcess from 'node:child_process'
    import { syncBuiltinESMExports } from 'node:module'
    const { spawn } = childProcess
    const { kill } = process
    let forks = 0
    let kills = 0
    childProcess.spawn = (file, ...args) => {
      if (file === process.execPath && ++forks === 1) throw new Error('the agent threw in spawn')
      return spawn(file, ...args)
    }
    syncBuiltinESMExports()
    process.kill = (pid, signal) => {
      if (signal === 'SIGKILL' && ++kills < 3) throw new Error('the agent threw in kill')
      return kill.call(process, pid, signal)
    }
    const pool = begin()
    const values = await Promise.all([1, 2, 3, 4].map((payload) => codeOf(pool.run('echo', payload))))
    say({ values, forks: forks > 1, isFast: await end(pool) })
  `)
  expect({ code, left }).toEqual({ code: 0, left: [] })
  const values = [1, 2, 3, 4].map((value) => ({ value }))
  expect(lines).toEqual([{ values, forks: true, isFast: true }])
})

test('throws in every listener, logger and inspector it has', async () => {
  const { code, lines, left } = await run(`
    const boom = () => { throw new Error('a stranger threw') }
    const logger = { error: boom, warn: boom, info: boom, debug: boom }
    const pool = begin({ logger, observability: 'detailed' }, { inspect: boom })
    const news = ['started', 'succeeded', 'failed', 'progress', 'retried'].map((name) => 'task.' + name)
    for (const type of [...news, 'worker.ready', 'worker.exited', 'pool.changed']) pool.on(type, boom)
    pool.onMemory(0.01, boom)
    const handle = pool.submit('steps', null)
    handle.onProgress?.(boom)
    say({ value: await codeOf(pool.run('echo', 1)), steps: (await handle.outcome()).status })
    say({ isFast: await end(pool), state: pool.status().state })
  `)
  expect({ code, left }).toEqual({ code: 0, left: [] })
  expect(lines).toEqual([
    { value: { value: 1 }, steps: 'succeeded' },
    { isFast: true, state: 'idle' },
  ])
})
