/** What programs hand in and return: what arrives is what was meant, or it is refused by name. */
import { expect, test } from 'vitest'
import { stranger } from './support/stranger.ts'

const TASKS = `
  import { defineTasks, task } from 'troupe'
  const plain = { browser: false }
  const state = { n: 0 }
  let starts = 0
  export default defineTasks({
    echo: task(plain, ({ payload }) => payload),
    state: task(plain, () => { state.n++; return state }),
    fetchIt: task(plain, async () => new Response('{"ok":true}')),
    link: task(plain, () => ({ rows: [{ link: new URL('https://portal.example/a') }] })),
    settled: task(plain, () => Promise.allSettled([Promise.reject(new (class TimeoutError extends Error {})('late'))])),
    huge: task(plain, () => new Error('x'.repeat(300_000_000))),
    text: task(plain, ({ payload }) => '\u65e5'.repeat(payload)),
    flaky: task(plain, ({ payload }) => { if (starts++ === 0) throw new Error('once'); return payload }),
    noisy: task(plain, ({ log }) => {
      log('saved', { po: 'PO-1', page: () => 1, error: Object.assign(new Error('no'), { code: 'E_NO' }) })
      return 'done'
    }),
  })
`
const POOL = `
  import { createPoolActor } from 'troupe'
  const TASKS = new URL('./tasks.mjs', import.meta.url)
  const begin = (options = {}) =>
    createPoolActor({ tasks: TASKS, workers: 1, logger: 'silent', ...options }).start()
  const say = (facts) => console.log(JSON.stringify(facts))
  const told = (promise) => promise.then((value) => value, (error) => error.code + ': ' + error.message)
`
const run = (main: string) => stranger({ 'main.mjs': POOL + main, 'tasks.mjs': TASKS })

// From outside: it ran as [4,4,4,4,4], and as something else again after a restart with a store.
test('reuses one object for all jobs of a loop', async () => {
  const { code, lines, left } = await run(`
    for (const options of [{}, { store: 'pool.db' }, { parallel: false }]) {
      await using pool = begin(options)
      const job = { n: 0 }
      const results = []
      for (; job.n < 5; job.n++) results.push(pool.run('echo', job))
      say((await Promise.all(results)).map(({ n }) => n))
    }
  `)
  expect({ code, left }).toEqual({ code: 0, left: [] })
  expect(lines).toEqual([0, 1, 2].map(() => [0, 1, 2, 3, 4]))
})

// The same from the other side: workers that count in a module and return the counter.
test('returns one object from all tasks of a worker', async () => {
  const { code, lines } = await run(`
    await using pool = begin({ concurrentTasksPerWorker: 5 })
    const results = await Promise.all(Array.from({ length: 5 }, () => pool.run('state', null)))
    say(results.map(({ n }) => n))
  `)
  expect({ code, lines }).toEqual({ code: 0, lines: [[1, 2, 3, 4, 5]] })
})

// From outside: URL, Headers, Response and the like arrived as {} and the task had succeeded.
test('returns a Response, a URL, an error of a class, or far too much', async () => {
  const { code, lines, left } = await run(`
    await using pool = begin()
    for (const name of ['fetchIt', 'link', 'settled', 'huge']) say(await told(pool.run(name, null)))
    say(await told(pool.run('text', 40_000_000)))
    say((await pool.run('text', 30_000_000)).length)
  `)
  expect({ code, left }).toEqual({ code: 0, left: [] })
  expect(lines).toEqual([
    expect.stringMatching(/^PAYLOAD_INVALID: result is a Response; send its body and status/),
    expect.stringMatching(/^PAYLOAD_INVALID: result\.rows\[0\]\.link is a URL; send its \.href/),
    expect.stringMatching(/^PAYLOAD_INVALID: result\[0\]\.reason is a TimeoutError; /),
    expect.stringMatching(/^PAYLOAD_INVALID: result is larger than 64 MiB/),
    expect.stringMatching(/^PAYLOAD_INVALID: result is larger than 64 MiB/),
    30_000_000,
  ])
})

test('changes what an event or an outcome gave it', async () => {
  const { code, lines } = await run(`
    await using pool = begin()
    const job = { po: 'PO-1' }
    const handle = pool.submit('flaky', job, { backoff: { delay: 1 }, id: 'a' })
    pool.on('task.retried', () => { job.po = Promise.resolve() })
    const outcome = await handle.outcome()
    outcome.value.po = () => 1
    outcome.payload.po = () => 1
    const child = await pool.submit('echo', 1, { dependsOn: ['a'] }).outcome()
    say([outcome.attempts, await handle.result(), child.status])
  `)
  expect({ code, lines }).toEqual({ code: 0, lines: [[2, { po: 'PO-1' }, 'succeeded']] })
})

test('logs what cannot be sent', async () => {
  const { code, lines } = await run(`
    await using pool = begin()
    pool.on('worker.log', ({ message, fields }) => say([message, fields.po, fields.page, fields.error.code]))
    say(await pool.run('noisy', null))
  `)
  expect(code).toBe(0)
  expect(lines.sort()).toEqual(['done', ['saved', 'PO-1', '[function]', 'E_NO']].sort())
})
