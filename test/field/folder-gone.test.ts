/**
 * Folders that a tmp cleaner takes away while the pool runs, each of them and all of them: the next task,
 * and the next worker, find what they need in its place.
 */
import { expect, vi } from 'vitest'
import { eachBrowser } from './support/browsers.ts'
import { isDeep, stranger } from './support/stranger.ts'

/** Of the folder of all runs; `run` is the pool's own. */
const PARTS = isDeep
  ? ['run/tmp', 'run/profiles', 'run/artifacts', 'run/owner.sock', 'run/.troupe', 'run', '']
  : ['run']

vi.setConfig({ testTimeout: 150_000 })

const FILES = {
  'tasks.mjs': `
    import { defineTasks, task } from 'troupe'
    export default defineTasks({
      job: task({}, async ({ page, payload, artifact, download, retire, attempt }) => {
        await page.goto(payload.url)
        const shot = await artifact('page.png', await page.screenshot())
        const file = await download(payload.url + 'file')
        if (payload.isLast) retire()
        return [await page.title(), shot.bytes > 100, file.bytes, attempt <= payload.attempts]
      }),
    })
  `,
  'main.mjs': `
    import { once } from 'node:events'
    import { readdirSync, rmSync } from 'node:fs'
    import { createServer } from 'node:http'
    import { tmpdir } from 'node:os'
    import { join } from 'node:path'
    import { createPoolActor } from 'troupe'
    const server = createServer((request, response) => {
      if (request.url === '/file') response.setHeader('content-disposition', 'attachment; filename=a.pdf')
      response.end(request.url === '/file' ? 'order' : '<title>orders</title>')
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const url = 'http://127.0.0.1:' + server.address().port + '/'
    const runs = join(tmpdir(), 'r')
    const pool = createPoolActor({
      tasks: new URL('./tasks.mjs', import.meta.url), workers: 1, runFolder: runs, startTimeout: 15_000,
      restart: { minBackoff: 100, maxBackoff: 500 }, task: { timeout: 10_000, backoff: { delay: 100 } },
    }).start()
    const job = (isLast) => pool.run('job', { url, isLast, attempts: isLast ? 2 : 1 }).catch((error) => error.message)
    console.log(JSON.stringify(['at first', await job(false)]))
    for (const part of process.env.PARTS.split(',')) {
      const [run] = readdirSync(runs)
      rmSync(join(runs, part.replace('run', run)), { recursive: true, force: true })
      // On the browser that has it no more, which may die of it, and on a new one.
      console.log(JSON.stringify([part, await job(true), await job(false)]))
    }
    await pool.shutdown()
    server.closeAllConnections()
    server.close()
    console.log(JSON.stringify(readdirSync(runs)))
    rmSync(runs, { recursive: true })
  `,
}

// From outside: systemd-tmpfiles removed the run's tmp/ in the night, and no browser started any more.
eachBrowser('lets a cleaner remove the folders of a run', async ({ env }) => {
  const { code, lines, stderr, left } = await stranger(FILES, {
    env: { ...env, PARTS: PARTS.join() },
    timeoutMs: 120_000,
  })
  const well = ['orders', true, 5, true]
  expect({ code, lines, left }, stderr).toEqual({
    code: 0,
    lines: [['at first', well], ...PARTS.map((part) => [part, well, well]), []],
    left: [],
  })
})

const TWO = {
  'tasks.mjs': `
    import { defineTasks, task } from 'troupe'
    export default defineTasks({
      slow: task({}, async ({ payload, download, attempt }) => [(await download(payload)).bytes, attempt]),
      last: task({}, ({ retire }) => retire()),
    })
  `,
  'main.mjs': `
    import { once } from 'node:events'
    import { createServer } from 'node:http'
    import { createPoolActor } from 'troupe'
    const server = createServer((request, response) => {
      response.setHeader('content-disposition', 'attachment; filename=a.pdf')
      response.write('a'.repeat(100_000))
      server.emit('half', response)
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const pool = createPoolActor({ tasks: new URL('./tasks.mjs', import.meta.url), workers: 2 }).start()
    const slow = pool.run('slow', 'http://127.0.0.1:' + server.address().port + '/file')
    const [response] = await once(server, 'half')
    const gone = new Promise((resolve) => pool.on('worker.exited', resolve))
    await pool.run('last')
    await gone
    response.end('b')
    console.log(JSON.stringify(await slow))
    await pool.shutdown()
    server.closeAllConnections()
    server.close()
  `,
}

// Seen in a review: a browser that closed removed the folder that all browsers of the run download into.
eachBrowser('downloads a file while another worker ends', async ({ env }) => {
  const { code, lines, stderr } = await stranger(TWO, { env })
  expect({ code, lines }, stderr).toEqual({ code: 0, lines: [[100_001, 1]] })
})
