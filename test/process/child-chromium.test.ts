/** The child process with a real Chromium: one browser for many tasks, what they leave behind, and how they end it. */
import { readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Artifact } from '../../src/task/context.ts'
import { pinnedProgram } from '../support/installed-browsers.ts'
import { Harness, vanished } from './child-harness.ts'

const TASKS = new URL('./child-tasks/browser.ts', import.meta.url)
const CSV = 'order,amount\nPO-1,5\n'
let executablePath: string
let server: Server
let base: string
let harness: Harness

beforeAll(async () => {
  executablePath = pinnedProgram()
  server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://portal')
    if (pathname === '/attachment') {
      response.setHeader('content-disposition', 'attachment; filename="order 1.csv"')
    }
    if (pathname === '/missing') response.statusCode = 404
    if (pathname === '/empty') response.statusCode = 204
    if (pathname === '/moved') {
      response.statusCode = 302
      response.setHeader('location', '/attachment')
    }
    if (pathname.startsWith('/json')) response.end(JSON.stringify(request.headers))
    else if (/attachment|csv|missing/.test(pathname)) {
      response.setHeader('content-type', 'text/csv')
      response.end(CSV)
    } else if (pathname === '/big') {
      response.setHeader('content-type', 'application/octet-stream')
      response.end(Buffer.alloc(100_000))
    } else {
      response.setHeader('content-type', 'text/html')
      response.end(`<title>${pathname}</title><a href="/attachment">get</a>`)
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(() => {
  server.closeAllConnections()
  server.close()
})
afterEach(() => harness.dispose())

/** An address where nobody listens. */
async function closedPort(): Promise<string> {
  const listener = createServer()
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
  const { port } = listener.address() as AddressInfo
  await new Promise((resolve) => listener.close(resolve))
  return `http://127.0.0.1:${port}/`
}

async function open(
  isolation: 'session' | 'context' = 'session',
  concurrency = 1,
  tasks: URL = TASKS,
) {
  harness = new Harness(tasks, { concurrency })
  const args = process.getuid?.() === 0 ? ['--no-sandbox'] : []
  const { browserPid } = await harness.open(harness.spec({ executablePath, args, isolation }))
  return browserPid ?? 0
}

async function result(taskId: string, name: string, payload?: unknown): Promise<unknown> {
  harness.run(taskId, name, payload)
  const end = await harness.ended(taskId)
  expect(end.error?.message).toBeUndefined()
  expect(end.verdict).toBe('ok')
  return end.value
}

const BLANK = {
  url: 'about:blank',
  frames: 1,
  body: '',
  href: 'about:blank',
  litter: null,
  name: '',
  pages: 1,
  width: 800,
  timeout: 30_000,
}

describe('one browser', () => {
  it.each(['session', 'context'] as const)('runs 50 tasks (isolation %s)', async (isolation) => {
    await open(isolation)
    for (let index = 0; index < 50; index += 1) {
      expect(await result(`t${index}`, 'title', `${base}/${index}`)).toBe(`/${index}`)
    }
    expect(harness.all('sessionReady')).toHaveLength(1)
    expect(harness.all('started')).toHaveLength(50)
  })

  it('killed by a task fails that task; the next one runs on another', async () => {
    const browserPid = await open()
    harness.run('t1', 'kill', browserPid)
    expect(await harness.ended('t1')).toMatchObject({
      verdict: 'retryable',
      error: { code: 'BROWSER_LOST' },
    })
    expect(await result('t2', 'title', `${base}/again`)).toBe('/again')
    expect(harness.all('browserLost')).toMatchObject([{ browserPid }])
    const [, second] = harness.all('sessionReady')
    expect(second?.browserPid).not.toBe(browserPid)
    await vanished([browserPid], 1_000)
  })

  it('outlives a tab that crashes', async () => {
    await open()
    harness.run('t1', 'crash')
    expect(await harness.ended('t1')).toMatchObject({
      verdict: 'retryable',
      error: { code: 'BROWSER_LOST' },
    })
    expect(await result('t2', 'title', `${base}/again`)).toBe('/again')
    expect(harness.all('browserLost')).toHaveLength(0)
  })

  it('is gone with the child when the pool is', async () => {
    await open()
    const pids = harness.browsers()
    expect(pids.length).toBeGreaterThan(0)
    harness.channel.destroy()
    await vanished([harness.process.pid ?? 0, ...pids], 2_000)
  })

  it('closes with the child', async () => {
    await open()
    const pids = harness.browsers()
    harness.order({ kind: 'close' })
    expect(await harness.exited).toEqual({ code: 0, signal: null })
    await vanished(pids, 2_000)
  })

  it('that cannot be found is named, for good', async () => {
    harness = new Harness(TASKS)
    await harness.report('loaded')
    const launch = harness.spec({ executablePath: '/nowhere/chrome' })
    harness.order({ kind: 'open', launch })
    const { error, permanent } = await harness.report('sessionFailed')
    expect(permanent).toBe(true)
    expect(error.code).toBe('BROWSER_NOT_FOUND')
    expect(error.message).toContain('/nowhere/chrome')
  })
})

describe('a hung page', () => {
  it('is interrupted, and its browser works on', async () => {
    await open()
    harness.run('t1', 'spin', `${base}/spin`)
    await harness.report('progress')
    harness.abort('t1', 10, 'timedOut')
    expect(await harness.ended('t1')).toMatchObject({
      verdict: 'cancelled',
      error: { code: 'TASK_TIMED_OUT' },
    })
    expect(await result('t2', 'title', `${base}/again`)).toBe('/again')
    expect(harness.all('browserLost')).toHaveLength(0)
  })

  it('left behind by a task that ended well does not reach the next', async () => {
    await open()
    await result('t1', 'spinLater', `${base}/spin`)
    expect(await result('t2', 'title', `${base}/again`)).toBe('/again')
    expect(harness.all('browserLost')).toHaveLength(0)
  })

  it('by an open dialog does not hang: it is dismissed', async () => {
    await open()
    expect(await result('t', 'alert')).toBe(false)
  })
})

describe.each(['session', 'context'] as const)('what a task leaves (isolation %s)', (isolation) => {
  it('is not there for one that looks', async () => {
    await open(isolation)
    await result('t1', 'litter', `${base}/one`)
    expect(await result('t2', 'look')).toEqual(BLANK)
    await result('t3', 'stained', `${base}/two`)
    expect(await result('t4', 'look')).toEqual(BLANK)
  })

  it('is not there for one that changes the fragment alone', async () => {
    await open(isolation)
    await result('t1', 'litter', `${base}/one`)
    expect(await result('t2', 'fragment', `${base}/one`)).toEqual([null, '#there', ''])
  })

  it.each([
    ['/empty', 'net::ERR_ABORTED', 'about:undefined'],
    ['a closed port', 'net::ERR_CONNECTION_REFUSED', 'chrome-error:undefined'],
  ])('is not there after a navigation to %s', async (path, message, seen) => {
    await open(isolation)
    await result('t1', 'litter', `${base}/one`)
    const url = path.startsWith('/') ? base + path : await closedPort()
    const [error, after] = (await result('t2', 'afterNothing', url)) as string[]
    expect(error).toContain(message)
    expect(after).toBe(seen)
  })

  it('is not found by one that waits while it navigates', async () => {
    await open(isolation)
    await result('t1', 'litter', `${base}/one`)
    expect(await result('t2', 'together', `${base}/two`)).toBe('/two')
  })

  it('does not reach the listeners of one that navigates', async () => {
    await open(isolation)
    await result('t1', 'litter', `${base}/one`)
    const { seen, headers } = (await result('t2', 'listen', `${base}/json`)) as {
      seen: string[]
      headers: Record<string, string>
    }
    const own = seen.filter((line) => !line.includes('favicon'))
    expect(own).toEqual(['request /json', 'response /json', 'navigated /json', 'load'])
    expect(headers['x-litter']).toBeUndefined()
    expect(headers['user-agent']).not.toContain('stained')
  })

  it('is not there after a download, which keeps the page', async () => {
    await open(isolation)
    await result('t1', 'litter', `${base}/one`)
    expect(await result('t2', 'downloadThenLook', `${base}/csv`)).toEqual(['about:blank', null])
  })
})

describe.each(['session', 'context'] as const)('download (isolation %s)', (isolation) => {
  it.each([
    ['an attachment', '/attachment', 'order 1.csv'],
    ['what a browser would show', '/orders.csv', 'orders.csv'],
    ['behind a redirect', '/moved', 'order 1.csv'],
  ])('by URL: %s', async (_name, path, file) => {
    await open(isolation)
    const artifact = (await result('t', 'download', base + path)) as Artifact
    expect(artifact).toMatchObject({ name: file, bytes: CSV.length })
    expect(readFileSync(artifact.path, 'utf8')).toBe(CSV)
    expect(artifact.sha256).toMatch(/^[0-9a-f]{64}$/)
  })

  it('by a click', async () => {
    await open(isolation)
    const artifact = (await result('t', 'downloadByClick', `${base}/list`)) as Artifact
    expect(artifact.name).toBe('clicked.bin')
    expect(readFileSync(artifact.path, 'utf8')).toBe(CSV)
  })

  it.each([
    ['/missing', 'download', /HTTP 404/, 'retryable'],
    ['/big', 'downloadBig', /larger than 1000 bytes/, 'permanent'],
  ])('of %s fails in plain words', async (path, task, message, verdict) => {
    await open(isolation)
    harness.run('t', task, base + path)
    const end = await harness.ended('t')
    expect(end.error?.message).toMatch(message)
    expect(end.verdict).toBe(verdict)
    expect(await result('u', 'title', `${base}/after`)).toBe('/after')
  })

  it('two tabs at once each get their own', async () => {
    await open(isolation, 2)
    harness.run('t1', 'download', `${base}/a.csv`)
    harness.run('t2', 'download', `${base}/b.csv`)
    const ends = await Promise.all([harness.ended('t1'), harness.ended('t2')])
    expect(ends.map(({ value }) => (value as Artifact).name)).toEqual(['a.csv', 'b.csv'])
  })
})

it.each(['session', 'context'] as const)('a login lasts (isolation %s)', async (isolation) => {
  const tasks = new URL('./child-tasks/portal.ts', import.meta.url)
  tasks.searchParams.set('base', base)
  await open(isolation, 1, tasks)
  expect(await result('t1', 'cookie', `${base}/json`)).toBe('login=1')
  expect(await result('t2', 'cookie', `${base}/json`)).toBe('login=1')
  harness.run('t3', 'expire')
  expect((await harness.ended('t3')).verdict).toBe('released')
  expect(await result('t4', 'cookie', `${base}/json`)).toBe('login=2')
  expect(await result('t5', 'cookie', `${base}/json`)).toBe('login=2')
  expect(harness.all('login')).toHaveLength(2)
})

it('prints a page', async () => {
  await open()
  const artifact = (await result('t', 'pdf', `${base}/page`)) as Artifact
  expect(readFileSync(artifact.path).subarray(0, 5).toString()).toBe('%PDF-')
})
