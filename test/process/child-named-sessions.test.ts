/**
 * G6. Named sessions in the child process on a real Chromium: what each begins with, its login, and what it is refused.
 */
import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, request as httpRequest } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { BEATS_BETWEEN } from '../../src/child/browser/profile-scale.ts'
import { readDisk } from '../../src/monitor/disk.ts'
import type { Artifact } from '../../src/task/context.ts'
import type { WorkerInit } from '../../src/process/ipc/protocol.ts'
import { makeBaseProfile } from '../support/base-profile.ts'
import { FILE, type MemberPortal, openMemberPortal } from '../support/member-portal.ts'
import { pinnedProgram } from '../support/installed-browsers.ts'
import { Harness } from './child-harness.ts'

let executablePath: string
let portal: MemberPortal
let harness: Harness
/** Of several tests in a row. */
let shared: Harness | null = null
let count = 0
const folder = mkdtempSync(join(tmpdir(), 'states-'))

beforeAll(async () => {
  executablePath = pinnedProgram()
  portal = await openMemberPortal()
})
afterAll(async () => {
  rmSync(folder, { recursive: true })
  await portal[Symbol.asyncDispose]()
})
afterEach(() => (harness === shared ? undefined : harness.dispose()))

function spawn(
  session: string,
  search: Record<string, string> = {},
  init: Partial<WorkerInit> = {},
) {
  const tasks = new URL('./child-tasks/sessions.ts', import.meta.url)
  for (const [name, value] of Object.entries({ base: portal.url, ...search })) {
    tasks.searchParams.set(name, value)
  }
  harness = new Harness(tasks, init)
  const args = process.getuid?.() === 0 ? ['--no-sandbox'] : []
  return harness.spec({ executablePath, args, session })
}

async function open(session: string, search: Record<string, string> = {}): Promise<void> {
  const spec = spawn(session, search)
  await harness.open(spec)
}

async function run(name: string, payload: unknown = null): Promise<unknown> {
  count += 1
  harness.run(`t${count}`, name, payload)
  const end = await harness.ended(`t${count}`)
  expect(end.error?.message).toBeUndefined()
  return end.value
}

it('are all told to the pool, with nothing that is secret', async () => {
  spawn('default')
  const { sessions } = await harness.report('loaded')
  expect(sessions.map(({ name }) => name)).toEqual([
    'default',
    'ada',
    'bob',
    'stored',
    'storedElsewhere',
    'storedClean',
    'file',
    'dressed',
    'proxied',
  ])
  expect(JSON.stringify(harness.reports)).not.toContain('secret')
})

describe('a login', () => {
  it.each(['ada', 'bob'])('of session %s is done once, and lasts', async (member) => {
    await open(member)
    const before = portal.logins.get(member)
    const seen = { name: member, title: member, logins: 1, kept: member }
    expect(await run('me')).toEqual(seen)
    expect(await run('me')).toEqual(seen)
    expect(harness.all('login')).toHaveLength(1)
    expect(portal.logins.get(member)).toBe(before)
    portal.expire()
    harness.run('gone', 'me')
    expect((await harness.ended('gone')).verdict).toBe('released')
    expect(await run('me')).toEqual({ ...seen, logins: 2 })
  })
})

describe('a storage state', () => {
  it.each(['stored', 'storedClean'])('is what the session %s begins with', async (name) => {
    await open(name)
    for (let round = 0; round < 2; round += 1) {
      const seen = (await run('seen')) as Record<string, unknown>
      expect(seen).toMatchObject({ cookie: 'plain=one; later=two', token: 'abc' })
    }
  })

  it('outlasts a login that never saw all of it', async () => {
    await open('storedElsewhere')
    expect(await run('elsewhere')).toBe('far')
    expect(await run('me')).toMatchObject({ title: 'ada', logins: 1 })
    expect(await run('elsewhere')).toBe('far')
  })

  it('may be a file', async () => {
    const file = join(folder, 'state.json')
    const origins = [{ origin: portal.url, localStorage: [{ name: 'token', value: 'xyz' }] }]
    writeFileSync(file, JSON.stringify({ cookies: [], origins }))
    await open('file', { file })
    expect(await run('seen')).toMatchObject({ token: 'xyz', cookie: '' })
  })

  it('that cannot be read fails the session, but not the worker for good', async () => {
    const launch = spawn('file', { file: join(folder, 'nowhere.json') })
    await harness.report('loaded')
    harness.order({ kind: 'open', launch })
    const { error, permanent } = await harness.report('sessionFailed')
    expect(permanent).toBe(false)
    expect(error.message).toMatch(/session "file": .*nowhere.json cannot be read: ENOENT/)
  })
})

it('one that is not defined fails by name', async () => {
  const launch = spawn('nobody')
  await harness.report('loaded')
  harness.order({ kind: 'open', launch })
  const { error, permanent } = await harness.report('sessionFailed')
  expect([permanent, error.message]).toEqual([false, 'the task file defines no session "nobody".'])
})

it('a profile that has grown too large asks for another worker, once', async () => {
  const spec = spawn('default', {}, { heartbeatMs: 20 })
  await harness.open({ ...spec, maxProfileBytes: 10 })
  const { reason } = await harness.report('retire')
  expect(reason).toMatch(/the profile has \d+ bytes, 10 are allowed/)
  const beats = () => harness.all('heartbeat').length
  const until = beats() + 3 * BEATS_BETWEEN
  await vi.waitFor(() => expect(beats()).toBeGreaterThan(until), 5_000)
  expect(harness.all('retire')).toHaveLength(1)
})

it('cookies of a base profile reach clean contexts too', async () => {
  const profileFolder = join(folder, 'base')
  await makeBaseProfile(profileFolder, `${portal.url}/open`, 'base')
  const spec = spawn('default')
  await harness.open({ ...spec, profileFolder, isolation: 'context' })
  for (let round = 0; round < 2; round += 1) {
    expect(await run('seen')).toMatchObject({ cookie: 'who=base' })
  }
})

it('headers, viewport, user agent and language are its own, and are put back', async () => {
  await open('dressed')
  const dressed = { width: 640, languages: ['de-DE'], agent: 'Troupe/1' }
  expect(await run('seen')).toMatchObject(dressed)
  await run('spoil')
  const { headers, ...rest } = (await run('seen')) as { headers: Record<string, string> }
  expect(rest).toMatchObject(dressed)
  expect(headers).toMatchObject({ 'x-team': 'buyers', 'user-agent': 'Troupe/1' })
  expect(headers['accept-language']).toMatch(/^de-DE/)
  expect(headers['x-spoilt']).toBeUndefined()
})

it('a proxy is used, and told the password when it asks', async () => {
  const asked: (string | undefined)[] = []
  const proxy = createServer((request, response) => {
    const { authorization = request.headers['proxy-authorization'] } = {}
    asked.push(authorization)
    if (authorization === undefined) {
      return void response.writeHead(407, { 'proxy-authenticate': 'Basic realm="p"' }).end()
    }
    const onward = httpRequest(request.url ?? '', { headers: request.headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(response)
    })
    request.pipe(onward)
  })
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  try {
    await open('proxied', { proxy: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}` })
    expect(await run('load', `${portal.url}/open`)).toBe(200)
    const basic = `Basic ${Buffer.from('ada:secret').toString('base64')}`
    expect(asked).toContain(basic)
    // After a reset too.
    expect(await run('load', `${portal.url}/open?again`)).toBe(200)
  } finally {
    proxy.closeAllConnections()
    proxy.close()
  }
})

describe('a download', () => {
  const sha256 = createHash('sha256').update(FILE).digest('hex')
  const facts = { bytes: FILE.length, sha256, contentType: 'text/csv' }
  let ada: Harness
  beforeAll(async () => {
    await open('ada')
    ada = harness
    shared = ada
  })
  beforeEach(() => {
    harness = ada
  })
  afterAll(() => ada.dispose())

  it('that breaks off fails, and leaves no file; a whole one lies in its task’s folder', async () => {
    harness.run('broken', 'download', `${portal.url}/broken.csv`)
    expect(await harness.ended('broken')).toMatchObject({
      verdict: 'retryable',
      error: { code: 'TASK_FAILED' },
    })
    const { path } = (await run('download', `${portal.url}/file.csv`)) as Artifact
    expect(path).toBe(join(harness.folder, 'artifacts', `t${count}`, 'file.csv'))
    expect(readFileSync(path, 'utf8')).toBe(FILE)
    expect(readdirSync(join(harness.folder, 'artifacts', 'broken'))).toEqual([])
    expect(readdirSync(join(harness.folder, 'downloads', 'profile'))).toEqual([])
  })

  it('is refused by name when the disk is nearly full', async () => {
    const { freeBytes } = await readDisk(tmpdir())
    const spec = spawn('ada', {}, { diskFloorBytes: freeBytes * 2 })
    await harness.open(spec)
    harness.run('t', 'download', `${portal.url}/file.csv`)
    const { error } = await harness.ended('t')
    expect(error?.code).toBe('TASK_FAILED')
    expect(error?.message).toMatch(/no room for a file of the task: .* diskFloor keeps \d+ free/)
  })

  it('tells where it came from, and its type', async () => {
    expect(await run('download', `${portal.url}/moved.csv`)).toMatchObject({
      ...facts,
      url: `${portal.url}/file.csv`,
    })
    const clicked = await run('click', '/file.csv')
    expect(clicked).toMatchObject({ ...facts, url: `${portal.url}/file.csv`, name: 'file.csv' })
  })

  it('leaves alone the frames that its page opens meanwhile', async () => {
    const seen = await run('downloadBesideFrame', `${portal.url}/slow.csv`)
    expect(seen).toEqual(['slow.csv', 'inside'])
  })

  it('as the first thing on a used tab may take its time', async () => {
    await run('me')
    expect(await run('download', `${portal.url}/slow.csv`)).toMatchObject({ name: 'slow.csv' })
  })

  it('refuses a page that a redirect led to, and says which: so it can become a login', async () => {
    portal.expire()
    const logins = harness.all('login').length
    harness.run('astray', 'download', `${portal.url}/file.csv`)
    const { verdict, error } = await harness.ended('astray')
    expect(verdict).toBe('retryable')
    expect(error?.message).toContain(`it was led to ${portal.url}/login?to=/file.csv, a page`)
    harness.run('gone', 'downloadOrLogIn', `${portal.url}/file.csv`)
    expect((await harness.ended('gone')).verdict).toBe('released')
    expect(await run('downloadOrLogIn', `${portal.url}/file.csv`)).toMatchObject(facts)
    expect(harness.all('login')).toHaveLength(logins + 1)
  })

  it('takes a page for a file when a page was asked for', async () => {
    expect(await run('download', `${portal.url}/page`)).toMatchObject({ contentType: 'text/html' })
    portal.expire()
    expect(await run('download', `${portal.url}/me.html`)).toMatchObject({
      url: `${portal.url}/login?to=/me.html`,
    })
  })
})
