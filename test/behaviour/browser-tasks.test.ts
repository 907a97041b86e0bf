/** G6. The pool with a real Chromium in each worker, over a page server of our own. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { IDLE_BLANK_MS } from '../../src/child/browser/tab-guard.ts'
import { isAlive } from '../../src/process/process-group.ts'
import { installedPrograms } from '../support/installed-browsers.ts'
import { browserPool, nextEvent } from '../support/pool-under-test.ts'

const browsers = await installedPrograms()
let requests = 0
const server = createServer((request, response) => {
  // A full Chromium asks for it, a headless shell does not.
  if (request.url === '/favicon.ico') return void response.writeHead(404).end()
  requests++
  const visits = Number(/visits=(\d+)/.exec(request.headers.cookie ?? '')?.[1] ?? 0) + 1
  response.setHeader('set-cookie', `visits=${visits}; Path=/`)
  response.setHeader('content-type', 'text/html')
  response.end(`<title>page ${request.url}</title>`)
})
let base = ''

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(() => {
  server.closeAllConnections()
  server.close()
})

describe('one worker', () => {
  test('runs fifty tasks in one process, one browser and one login', async () => {
    await using troupe = browserPool()
    const { pool } = troupe
    pool.start()
    const pids = new Set<number>()
    for (let index = 0; index < 50; index++) {
      const seen = await pool.run('title', `${base}/${index}`)
      expect(seen.title).toBe(`page /${index}`)
      pids.add(seen.pid)
    }
    expect(pids.size).toBe(1)
    expect(pool.status()).toMatchObject({ processesStarted: 1, logins: 1, reuseRate: 0.98 })
    expect(requests).toBeGreaterThanOrEqual(50)
  })

  test.each(browsers)(
    'keeps its cookies, but not with isolation: context (%s)',
    async (_, path) => {
      await using troupe = browserPool({ browser: { executablePath: path } })
      troupe.pool.start()
      await troupe.pool.run('cookie', base)
      expect(await troupe.pool.run('cookie', base)).toMatchObject({ cookie: 'visits=2' })
      await using clean = browserPool({
        browser: { executablePath: path, isolation: 'context' },
      })
      clean.pool.start()
      await clean.pool.run('cookie', base)
      expect(await clean.pool.run('cookie', base)).toMatchObject({ cookie: 'visits=1' })
    },
  )

  test('starts a task on its tab while that is just being blanked', async () => {
    await using troupe = browserPool()
    const { pool } = troupe
    pool.start()
    await pool.run('title', base)
    for (let index = 0; index < 30; index++) {
      // A tab left idle is blanked after IDLE_BLANK_MS: the next task comes a little before and after.
      await delay(IDLE_BLANK_MS - 8 + (index % 15))
      await pool.run('title', `${base}/${index}`)
    }
    expect(pool.status().tasks.retried).toBe(0)
  })

  test('whose task kills its own browser fails that task, and serves the next', async () => {
    await using troupe = browserPool()
    const { pool } = troupe
    pool.start()
    const { pid } = await pool.run('title', base)
    const browserPid = pool.status().workers[0]?.browserPid ?? 0
    expect(isAlive(browserPid)).toBe(true)
    const outcome = await pool.submit('killBrowser', browserPid, { attempts: 1 }).outcome()
    expect(outcome).toMatchObject({ status: 'failed', error: { code: 'BROWSER_LOST' } })
    expect(await pool.run('title', base)).toMatchObject({ pid, title: 'page /' })
    expect(isAlive(browserPid)).toBe(false)
    expect(pool.status()).toMatchObject({ processesStarted: 1 })
    expect(pool.status().workers[0]?.browserPid).not.toBe(browserPid)
  })

  test('with a page that hangs is recovered without losing the worker', async () => {
    await using troupe = browserPool()
    const { pool } = troupe
    pool.start()
    const { pid } = await pool.run('title', base)
    const outcome = await pool.submit('hangPage', null, { timeout: 200, attempts: 1 }).outcome()
    expect(outcome).toMatchObject({ status: 'failed', error: { code: 'TASK_TIMED_OUT' } })
    expect(await pool.run('title', base)).toMatchObject({ pid })
  })

  test('with a handler that never ends is killed, browser and all, and comes back', async () => {
    await using troupe = browserPool()
    const { pool } = troupe
    pool.start()
    const { pid } = await pool.run('title', base)
    const browserPid = pool.status().workers[0]?.browserPid ?? 0
    const exited = nextEvent(pool as never, 'worker.exited')
    const outcome = await pool.submit('never', null, { timeout: 100, attempts: 1 }).outcome()
    expect(outcome).toMatchObject({ error: { code: 'TASK_TIMED_OUT' } })
    expect(await exited).toMatchObject({ cause: 'cancelled' })
    expect(isAlive(browserPid)).toBe(false)
    expect((await pool.run('title', base)).pid).not.toBe(pid)
  })

  test('killed, has its browser and its profile cleared away', async () => {
    await using troupe = browserPool()
    const { pool, census } = troupe
    pool.start()
    const { pid } = await pool.run('title', base)
    const browserPid = pool.status().workers[0]?.browserPid ?? 0
    process.kill(pid, 'SIGKILL')
    expect((await pool.run('title', base)).pid).not.toBe(pid)
    expect(isAlive(browserPid)).toBe(false)
    const [run = ''] = await readdir(census.root)
    const profiles = await readdir(join(census.root, run, 'profiles'))
    expect(profiles.filter((name) => name.startsWith('worker-'))).toEqual(['worker-1.2'])
  })
})
