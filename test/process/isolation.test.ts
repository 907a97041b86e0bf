/**
 * G6. Isolation `context` on a real Chromium: for each kind of thing that one can leave behind, what a task leaves
 * reaches neither the next task nor the session's hooks; and of what the login leaves, only cookies and localStorage
 * reach a task. Each thing is first seen by whoever has left it, or nothing would be proven.
 */
import { readdir } from 'node:fs/promises'
import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Artifact } from '../../src/task/context.ts'
import { pinnedProgram } from '../support/installed-browsers.ts'
import { Harness } from './child-harness.ts'
import { KINDS } from './child-tasks/isolation.ts'

const WORKER = `const who = new URL(location).searchParams.get('who')
self.addEventListener('install', () => self.skipWaiting())
self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()))
self.addEventListener('fetch', (event) => {
  if (event.request.url.endsWith('/nobody')) event.respondWith(new Response(who))
})`
/** What a login hands on to every task. */
const HANDED_ON = new Set(['cookies', 'localStorage'])
/** These say that something is there, not who has left it. */
const NAMELESS = new Set(['permissions'])

/** By fewer bytes a browser can't tell yet what they are. */
const ENOUGH = Buffer.alloc(8_192)

let server: Server
let base: string
let harness: Harness
let count = 0
/** Of the downloads without an end, by name. */
const losses = new Map<string, PromiseWithResolvers<void>>()
/** Holds up the one who asks for it. */
const turn = { asked: Promise.withResolvers<void>(), given: Promise.withResolvers<void>() }

beforeAll(async () => {
  server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://site')
    if (pathname === '/worker.js') {
      response.setHeader('content-type', 'text/javascript')
      return response.end(WORKER)
    }
    if (pathname.startsWith('/file/')) {
      response.setHeader('content-disposition', `attachment; filename="${pathname.slice(6)}"`)
      return response.end(pathname)
    }
    if (pathname.startsWith('/endless/')) return endless(pathname, response)
    if (pathname === '/turn') {
      turn.asked.resolve()
      return void turn.given.promise.then(() => response.end())
    }
    if (pathname === '/nobody' || pathname === '/intercepted') return response.end()
    if (pathname === '/headers') return response.end(request.headers['x-who'] ?? '')
    response.setHeader('content-type', 'text/html')
    return response.end(`<title>${pathname}</title>`)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  harness = await open('context')
  seen.left = await look('leave')
  seen.afterTask = await look('look')
  harness.run('logIn', 'logIn')
  expect((await harness.ended('logIn')).verdict).toBe('released')
  seen.byLogin = await look('foundByLogin')
  seen.afterLogin = await look('look')
  seen.leftAgain = await look('leave')
  seen.afterAll = await look('look')
})
afterAll(async () => {
  await harness.dispose()
  server.closeAllConnections()
  server.close()
})

/** `/endless/a.txt` is a file without an end; `/endless/a.txt/lost` answers when nobody takes it any more. */
function endless(pathname: string, response: ServerResponse): void {
  const [, , name = '', tail] = pathname.split('/')
  const lost = losses.get(name) ?? Promise.withResolvers<void>()
  losses.set(name, lost)
  if (tail === 'lost') return void lost.promise.then(() => response.end())
  response.on('close', lost.resolve)
  response.setHeader('content-disposition', `attachment; filename="${name}"`)
  response.write(ENOUGH)
}

async function open(isolation: 'session' | 'context'): Promise<Harness> {
  const tasks = new URL('./child-tasks/isolation.ts', import.meta.url)
  tasks.searchParams.set('base', base)
  const opened = new Harness(tasks, { concurrency: 2 })
  const executablePath = pinnedProgram()
  const args = process.getuid?.() === 0 ? ['--no-sandbox'] : []
  await opened.open(opened.spec({ executablePath, args, isolation }))
  return opened
}

async function run(name: string, payload: unknown = null, on = harness): Promise<unknown> {
  count += 1
  on.run(`t${count}`, name, payload)
  const end = await on.ended(`t${count}`)
  expect(end.error?.message).toBeUndefined()
  return end.value
}

type Seen = Record<string, unknown>
const seen: Record<string, Seen> = {}
const look = async (name: string) => (await run(name)) as Seen

describe.each(KINDS)('%s', (kind) => {
  const left = (who: string) => (NAMELESS.has(kind) ? 'somebody' : who)

  it('left by a task are there for neither the next task nor the login', () => {
    expect(seen.left?.[kind]).toBe(left('task'))
    expect(seen.afterTask?.[kind]).toBe(null)
    expect(seen.byLogin?.[kind]).toBe(null)
  })

  it('left by the login reach a task only as cookies and localStorage', () => {
    const handedOn = HANDED_ON.has(kind) ? left('login') : null
    expect(seen.afterLogin?.[kind]).toBe(handedOn)
    // What a task makes of it stays its own.
    expect(seen.leftAgain?.[kind]).toBe(left('task'))
    expect(seen.afterAll?.[kind]).toBe(handedOn)
  })
})

describe('downloads', () => {
  it('in a window of one task are never taken for another task’s', async () => {
    harness.run('late', 'fetchLate', `${base}/file/own.txt`)
    await turn.asked.promise
    await run('drop', `${base}/endless/stranger.txt`)
    turn.given.resolve()
    expect((await harness.ended('late')).value).toMatchObject({ name: 'own.txt' })
  })

  it('that nobody asked for leave no file', async () => {
    await run('drop', `${base}/endless/second.txt`)
    const artifact = (await run('fetch', `${base}/file/mine.txt`)) as Artifact
    expect(artifact.name).toBe('mine.txt')
    await expect.poll(() => readdir(join(harness.folder, 'downloads', 'profile'))).toEqual([])
  })

  it('that are too large are broken off', async () => {
    harness.run('large', 'fetchLittle', `${base}/endless/large.txt`)
    const { error } = await harness.ended('large')
    expect(error?.message).toMatch('larger than 1 bytes')
    await losses.get('large.txt')?.promise
    await expect.poll(() => readdir(join(harness.folder, 'downloads', 'profile'))).toEqual([])
  })
})

it('permissions a task has granted are taken back, even where tasks share a session', async () => {
  const shared = await open('session')
  try {
    expect(await run('granted', true, shared)).toBe('somebody')
    expect(await run('granted', false, shared)).toBe(null)
  } finally {
    await shared.dispose()
  }
})
