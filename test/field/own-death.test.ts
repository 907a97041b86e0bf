/** Tasks that take their worker down with them, among others that do not: they pay for it, and nobody else. */
import { expect, test } from 'vitest'
import { stranger } from './support/stranger.ts'

const TASKS = `
  import { defineTasks, task } from 'troupe'
  const plain = { browser: false }
  const kept = []
  export default defineTasks({
    echo: task(plain, ({ payload }) => payload),
    crash: task(plain, () => process.kill(process.pid, 'SIGKILL') && new Promise(() => {})),
    hoard: task(plain, () => {
      kept.push(Buffer.alloc(300 * 1024 * 1024, 1))
      return new Promise(() => {})
    }),
  })
`
const POOL = `
  import { createPoolActor } from 'troupe'
  const begin = (options) =>
    createPoolActor({ tasks: new URL('./tasks.mjs', import.meta.url), ...options }).start()
`
const run = (main: string, timeoutMs: number) =>
  stranger({ 'main.mjs': POOL + main, 'tasks.mjs': TASKS }, { timeoutMs })

interface Facts {
  readonly ms: number
}

// From outside: 94 s, with the breaker open, the health critical and nothing served meanwhile.
test('has 10 tasks that crash among 200 that do not', async () => {
  const { code, lines, left } = await run(
    `
      await using pool = begin({ workers: 2 })
      const alerts = new Set()
      const healths = new Set()
      pool.on('alert.raised', ({ code }) => alerts.add(code))
      const watch = setInterval(() => healths.add(pool.status().health), 50)
      const beganMs = performance.now()
      const runs = Array.from({ length: 210 }, (_, at) =>
        pool.run(at % 21 === 10 ? 'crash' : 'echo', at).then(() => 'ok', ({ code }) => code),
      )
      const counts = {}
      for (const code of await Promise.all(runs)) counts[code] = (counts[code] ?? 0) + 1
      const ms = Math.round(performance.now() - beganMs)
      clearInterval(watch)
      const isBroken = alerts.has('BREAKER_OPEN')
      console.log(JSON.stringify({ counts, isBroken, isCritical: healths.has('critical'), ms }))
    `,
    60_000,
  )
  expect({ code, left }).toEqual({ code: 0, left: [] })
  expect(lines).toMatchObject([
    { counts: { ok: 200, WORKER_LOST: 10 }, isBroken: false, isCritical: false },
  ])
  // 20 workers are started anew, each in about 0.2 s on a machine that is not loaded.
  const [{ ms }] = lines as [Facts]
  console.error(`${ms} ms for 210 tasks and 20 deaths`)
  expect(ms).toBeLessThan(30_000)
}, 70_000)

// From outside: with one attempt it was started 21 times, and as many workers were killed.
test('has a task that always takes more memory than a worker may', async () => {
  const { code, lines, left } = await run(
    `
      await using pool = begin({ workers: 1, heartbeatInterval: 250, maxWorkerMemoryHard: 250_000_000 })
      const causes = []
      pool.on('worker.exited', ({ cause }) => causes.push(cause))
      const results = []
      for (const attempts of [1, 3]) {
        const outcome = await pool.submit('hoard', null, { attempts }).outcome()
        results.push([outcome.attempts, outcome.error?.code])
      }
      console.log(JSON.stringify({ results, causes, after: await pool.run('echo', 'after') }))
    `,
    60_000,
  )
  expect({ code, left }).toEqual({ code: 0, left: [] })
  expect(lines).toEqual([
    {
      // The second time it is quarantined.
      results: [
        [1, 'WORKER_LOST'],
        [2, 'WORKER_LOST'],
      ],
      causes: ['memory', 'memory', 'memory'],
      after: 'after',
    },
  ])
}, 70_000)
