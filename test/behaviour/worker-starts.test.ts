/**
 * G5. Starts of many workers whose login waits for a server: launches are as many at once as may, logins
 * are not counted among them. Real processes and a scripted browser; nothing is timed, the server answers
 * a login when so many others wait with it.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { PoolActor, PoolOptions } from '../../src/index.ts'
import { realWorld } from '../../src/pool/host/world.ts'
import { poolUnderTest } from '../support/pool-under-test.ts'
import { notedBrowserUrl } from '../process/noted-browser.ts'

type Tasks = typeof import('../fixtures/waiting-login-tasks.ts')
const POLL = { timeout: 20_000, interval: 5 } as const
const TIMEOUT_MS = 40_000

/** Answers nobody's login before `answer`. */
class LoginServer implements AsyncDisposable {
  base = ''
  readonly #waiting = new Set<ServerResponse>()
  readonly #server = createServer((_, response) => {
    this.#waiting.add(response)
    response.on('close', () => this.#waiting.delete(response))
  })

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
    this.base = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  get waiting(): number {
    return this.#waiting.size
  }

  answer(): void {
    for (const response of this.#waiting) response.end('welcome')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}

let folder = ''
let server = new LoginServer()
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'troupe-starts-'))
  server = new LoginServer()
  await server.listen()
})
afterEach(async () => {
  await server[Symbol.asyncDispose]()
  await rm(folder, { recursive: true, force: true })
})

const noteFile = () => join(folder, 'launches')

function poolOf(processors: number, options: Partial<PoolOptions>) {
  const tasks = new URL('../fixtures/waiting-login-tasks.ts', import.meta.url)
  tasks.searchParams.set('base', server.base)
  const browser = { executablePath: '/no/browser', driver: notedBrowserUrl(noteFile()) }
  const world = { ...realWorld(), processors }
  return poolUnderTest<Tasks>({ tasks, browser, ...options }, world)
}

const states = (pool: PoolActor<Tasks>) => pool.status().workers.map(({ state }) => state)

/** How many launches there were, and the most at once. */
async function launches(): Promise<{ all: number; atOnce: number }> {
  const lines = (await readFile(noteFile(), 'utf8')).trimEnd().split('\n')
  let now = 0
  let atOnce = 0
  for (const line of lines) {
    now += line === 'begins' ? 1 : -1
    atOnce = Math.max(atOnce, now)
  }
  return { all: lines.filter((line) => line === 'begins').length, atOnce }
}

test('all workers log in at once, however few may launch at once', {
  timeout: TIMEOUT_MS,
}, async () => {
  await using troupe = poolOf(2, { workers: 6 })
  const { pool } = troupe
  pool.start()
  // Nobody's login is answered before all six wait for it.
  await expect.poll(() => server.waiting, POLL).toBe(6)
  // What a child tells the server and what it tells the pool come on two ways.
  await expect
    .poll(() => states(pool), POLL)
    .toEqual(Array(6).fill('starting.launching.authenticating'))
  expect(await launches()).toMatchObject({ all: 6 })
  expect((await launches()).atOnce).toBeLessThanOrEqual(2)
  server.answer()
  await expect.poll(() => pool.status().state, POLL).toBe('running')
  expect(pool.status()).toMatchObject({ activeWorkers: 6, processesStarted: 6, logins: 6 })
})

test('a worker that dies in its login asks for leave again, and holds up nobody', {
  timeout: TIMEOUT_MS,
}, async () => {
  await using troupe = poolOf(1, { workers: 3 })
  const { pool } = troupe
  pool.start()
  await expect.poll(() => server.waiting, POLL).toBe(3)
  const [victim] = pool.status().workers
  process.kill(victim?.pid ?? 0, 'SIGKILL')
  await expect.poll(() => pool.status().processesStarted, POLL).toBe(4)
  await expect.poll(() => server.waiting, POLL).toBe(3)
  server.answer()
  await expect.poll(() => pool.status().state, POLL).toBe('running')
  expect(pool.status()).toMatchObject({ activeWorkers: 3, processesStarted: 4, logins: 3 })
  expect(await launches()).toEqual({ all: 4, atOnce: 1 })
})

test('a successor logs in while another starts', { timeout: TIMEOUT_MS }, async () => {
  await using troupe = poolOf(1, { workers: 2, maxTasksPerWorker: 1 })
  const { pool } = troupe
  pool.start()
  await expect.poll(() => server.waiting, POLL).toBe(2)
  server.answer()
  await expect.poll(() => pool.status().state, POLL).toBe('running')
  // Each has run as many tasks as it may: both successors wait for the server at once.
  expect(await Promise.all([pool.run('logins', null), pool.run('logins', null)])).toEqual([1, 1])
  await expect.poll(() => server.waiting, POLL).toBe(2)
  await expect
    .poll(() => states(pool), POLL)
    .toEqual(Array(2).fill('recycling.launching.authenticating'))
  server.answer()
  await expect
    .poll(() => pool.status().workers.map(({ state }) => state), POLL)
    .toEqual(Array(2).fill('ready.idle'))
  expect(await launches()).toEqual({ all: 4, atOnce: 1 })
})
