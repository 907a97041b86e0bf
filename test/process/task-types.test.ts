/**
 * The task types that are built in. With real processes, a real browser and a server of our own.
 */
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, expectTypeOf, test, vi } from 'vitest'
import type { Artifact } from '../../src/index.ts'
import { PLAIN_TASKS, plainPool } from '../support/pool-under-test.ts'

const fixture = (name: string) => new URL(`../fixtures/task-types/${name}`, import.meta.url)
const JOBS = fixture('jobs.ts').href
/** For what must come, on a machine that may be busy. */
const PATIENT = { timeout: 30_000 }
let folder = ''
let base = ''
const heard: { url: string; method: string; headers: IncomingMessage['headers']; body: string }[] =
  []

const PAGE = `<!doctype html><title>Orders</title><h1>Orders</h1>
  <p id="note">three <b>orders</b></p><script>window.orders = ['a', 'b', 'c']</script>`

function answer(request: IncomingMessage, response: ServerResponse, body: string): void {
  const url = request.url ?? ''
  heard.push({ url, method: request.method ?? '', headers: request.headers, body })
  if (url.startsWith('/to/')) {
    response.writeHead(Number(url.slice(4, 7)), { location: `/echo?from=${url.slice(4)}` }).end()
  } else if (url === '/away') {
    response.writeHead(307, { location: base.replace('127.0.0.1', 'localhost') + '/echo' }).end()
  } else if (url === '/to-file') {
    response.writeHead(302, { location: 'file:///etc/passwd' }).end()
  } else if (url === '/round') {
    response.writeHead(302, { location: '/round' }).end()
  } else if (url === '/json') {
    response.setHeader('content-type', 'application/json')
    response.end('{"orders":[1,2,3]}')
  } else if (url === '/large') {
    response.end(Buffer.alloc(100_000, 'x'))
  } else if (url === '/slow') {
    response.write('…')
  } else if (url === '/file.bin') {
    response.setHeader('content-disposition', 'attachment; filename="file.bin"')
    response.end(Buffer.alloc(2_000, 7))
  } else if (url.startsWith('/echo')) {
    response.end(body)
  } else {
    response.setHeader('content-type', 'text/html')
    response.end(PAGE)
  }
}

const server = createServer((request, response) => {
  let body = ''
  request.setEncoding('utf8').on('data', (text: string) => {
    body += text
  })
  request.on('end', () => answer(request, response, body))
})

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'troupe-types-'))
  await new Promise<void>((resolve) => server.listen(0, resolve))
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(() => {
  server.closeAllConnections()
  server.close()
  rmSync(folder, { recursive: true, force: true })
})

describe('browser types', () => {
  let troupe: ReturnType<typeof plainPool>
  beforeAll(() => {
    troupe = plainPool({ taskTypes: { browser: true }, artifacts: folder })
    troupe.pool.start()
  })
  afterAll(() => troupe[Symbol.asyncDispose]())
  const bytesOf = ({ path }: Artifact) => readFile(path)

  test('capture a page, an element, a clip', async () => {
    const whole = await troupe.pool.run('browser.screenshot', { url: base })
    expectTypeOf(whole.artifact).toEqualTypeOf<Artifact>()
    expect(whole).toMatchObject({ title: 'Orders', status: 200, url: `${base}/` })
    expect(whole.artifact).toMatchObject({ name: 'screenshot.png' })
    expect([...(await bytesOf(whole.artifact)).subarray(1, 4)]).toEqual([0x50, 0x4e, 0x47])
    const viewport = { width: 300, height: 200 }
    const clip = { x: 0, y: 0, width: 50, height: 40 }
    const part = { url: base, viewport, clip, name: 'clip.png' }
    const { artifact } = await troupe.pool.run('browser.screenshot', part)
    const png = await bytesOf(artifact)
    expect({
      name: artifact.name,
      width: png.readUInt32BE(16),
      height: png.readUInt32BE(20),
    }).toEqual({ name: 'clip.png', width: 50, height: 40 })
    const selected = { html: PAGE, selector: 'h1', type: 'jpeg', quality: 50 } as const
    const jpeg = await troupe.pool.run('browser.screenshot', selected)
    expect([...(await bytesOf(jpeg.artifact)).subarray(0, 2)]).toEqual([0xff, 0xd8])
  })

  test('print a page', async () => {
    const payload = { url: base, format: 'a5', margin: { top: '10mm' }, pages: '1' } as const
    const { artifact } = await troupe.pool.run('browser.pdf', payload)
    expect((await bytesOf(artifact)).subarray(0, 5).toString()).toBe('%PDF-')
    expect(artifact.name).toBe('page.pdf')
  })

  test('read a page', async () => {
    const { content } = await troupe.pool.run('browser.content', { url: base, waitFor: '#note' })
    expect(content).toContain('three <b>orders</b>')
    const note = { html: PAGE, selector: '#note', as: 'text', waitUntil: 'networkidle0' } as const
    expect(await troupe.pool.run('browser.content', note)).toMatchObject({
      content: 'three orders',
      status: null,
    })
    const missing = troupe.pool.submit(
      'browser.content',
      { url: base, selector: '#no' },
      {
        attempts: 1,
      },
    )
    await expect(missing.result()).rejects.toMatchObject({
      message: 'the page has no element #no',
    })
  })

  test('evaluate an expression, or a function of arguments', async () => {
    const first = { url: base, script: 'window.orders.length' }
    expect(await troupe.pool.run('browser.evaluate', first)).toMatchObject({ value: 3 })
    const script = 'async (index, more) => window.orders[index] + more.text'
    const second = { url: base, script, args: [1, { text: '!' }] }
    expect(await troupe.pool.run('browser.evaluate', second)).toMatchObject({ value: 'b!' })
  })

  test('download a file', async () => {
    const file = await troupe.pool.run('browser.download', { url: `${base}/file.bin` })
    expect(file).toMatchObject({ name: 'file.bin', bytes: 2_000 })
  })

  test('leave headers and viewport as they were', async () => {
    const headers = { 'x-order': '7' }
    const viewport = { width: 333, height: 222 }
    const script = 'window.innerWidth'
    const url = `${base}/headers`
    const { value } = await troupe.pool.run('browser.evaluate', { url, headers, viewport, script })
    expect(value).toBe(333)
    expect(heard.findLast((one) => one.url === '/headers')?.headers['x-order']).toBe('7')
    const after = await troupe.pool.run('browser.evaluate', { url, script })
    expect(after.value).not.toBe(333)
    expect(heard.findLast((one) => one.url === '/headers')?.headers['x-order']).toBeUndefined()
  })

  test('open no other scheme than those allowed', async () => {
    await expect(
      troupe.pool.run('browser.content', { url: 'file:///etc/hostname' }),
    ).rejects.toMatchObject({
      code: 'PAYLOAD_INVALID',
      message: expect.stringContaining('payload.url must begin with http: or https: or data:'),
      task: { name: 'browser.content' },
    })
  })
})

describe('types without a browser', () => {
  let troupe: ReturnType<typeof plainPool>
  beforeAll(() => {
    troupe = plainPool({
      artifacts: folder,
      task: { attempts: 1 },
      taskTypes: {
        maxResponseBytes: 50_000,
        modules: { folders: [fixture('')], named: { jobs: JOBS } },
      },
    })
    troupe.pool.start()
  })
  afterAll(() => troupe[Symbol.asyncDispose]())
  const request = (payload: Parameters<typeof troupe.pool.run<'http-request'>>[1]) =>
    troupe.pool.run('http-request', payload)

  test('cost a pool without browser tasks no browser', async () => {
    await troupe.pool.run('echo', 1)
    expect(troupe.pool.status().workers[0]?.browserPid).toBe(null)
    await expect(troupe.pool.run('browser.pdf', { url: base })).rejects.toMatchObject({
      code: 'TASK_UNKNOWN',
      message: expect.stringContaining('taskTypes: { browser: true }'),
    })
  })

  test('are not listed among the tasks of the task file', async () => {
    await expect(troupe.pool.run('nothing' as 'echo', 1)).rejects.toMatchObject({
      message: expect.not.stringContaining('http-request'),
    })
  })

  test('request text, JSON and bytes', async () => {
    expect(await request({ url: `${base}/json`, as: 'json' })).toMatchObject({
      status: 200,
      ok: true,
      body: { orders: [1, 2, 3] },
      headers: { 'content-type': 'application/json' },
    })
    const posted = { url: `${base}/echo`, method: 'post', body: 'żółw', headers: { 'X-A': '1' } }
    expect(await request(posted)).toMatchObject({ body: 'żółw', bytes: 7 })
    expect(heard.at(-1)).toMatchObject({ method: 'POST', headers: { 'x-a': '1' } })
    const file = await request({ url: `${base}/file.bin`, as: 'bytes' })
    expect(file).toMatchObject({ body: null, artifact: { name: 'file.bin', bytes: 2_000 } })
  })

  test('follow redirects, and say where they ended', async () => {
    const to = (code: number) => ({ url: `${base}/to/${code}`, method: 'POST', body: 'x' })
    expect(await request(to(303))).toMatchObject({ redirects: 1, url: `${base}/echo?from=303` })
    expect(heard.at(-1)).toMatchObject({ method: 'GET', body: '' })
    await request(to(307))
    expect(heard.at(-1)).toMatchObject({ method: 'POST', body: 'x' })
    expect(await request({ ...to(302), redirects: 0 })).toMatchObject({ status: 302, ok: false })
    const round = request({ url: `${base}/round`, redirects: 3 })
    await expect(round).rejects.toMatchObject({ message: expect.stringContaining('more than 3') })
    const file = request({ url: `${base}/to-file` })
    await expect(file).rejects.toMatchObject({ code: 'PAYLOAD_INVALID' })
  })

  test('keep secrets from the host they are redirected to', async () => {
    const headers = { Authorization: 'Bearer secret', Cookie: 'a=1', 'X-Kept': '1' }
    await request({ url: `${base}/to/302`, headers })
    expect(heard.at(-1)?.headers).toMatchObject({ authorization: 'Bearer secret', 'x-kept': '1' })
    await request({ url: `${base}/away`, headers })
    expect(heard.at(-1)?.headers).toMatchObject({ 'x-kept': '1' })
    expect(heard.at(-1)?.headers.authorization).toBeUndefined()
    expect(heard.at(-1)?.headers.cookie).toBeUndefined()
  })

  test('take no more than their limits', async () => {
    const large = request({ url: `${base}/large` })
    await expect(large).rejects.toMatchObject({ message: expect.stringContaining('50000 bytes') })
    await expect(request({ url: `${base}/json`, maxBytes: 3 })).rejects.toMatchObject({
      message: expect.stringContaining('3 bytes'),
    })
    const slow = request({ url: `${base}/slow`, timeout: 100 })
    await expect(slow).rejects.toMatchObject({ message: expect.stringContaining('timeout') })
    const handle = troupe.pool.submit('http-request', { url: `${base}/slow` })
    await vi.waitFor(() => expect(heard.at(-1)?.url).toBe('/slow'), PATIENT)
    handle.cancel()
    expect(await handle.outcome()).toMatchObject({ status: 'cancelled' })
  })

  test('call a function of an allowed module', async () => {
    const call = (payload: Parameters<typeof troupe.pool.run<'execute-function'>>[1]) =>
      troupe.pool.run('execute-function', payload)
    expect(await call({ module: 'jobs', export: 'add', args: [1, 2] })).toBe(3)
    expect(await call({ module: JOBS, export: 'add', args: [2, 2] })).toBe(4)
    await expect(call({ module: 'jobs', export: 'notAFunction' })).rejects.toMatchObject({
      code: 'PAYLOAD_INVALID',
      message: expect.stringContaining('it exports: add, report'),
    })
    const elsewhere = new URL('../plain-tasks.ts', JOBS).href
    for (const module of ['node:fs', elsewhere, 'toString', 'data:text/javascript,1']) {
      await expect(call({ module }), module).rejects.toMatchObject({
        code: 'PAYLOAD_INVALID',
        message: expect.stringContaining('payload.module must be allowed'),
      })
    }
  })

  test('see through a link that leads out of an allowed folder', async () => {
    const linked = join(folder, 'linked.ts')
    symlinkSync(PLAIN_TASKS.pathname, linked)
    await using other = plainPool({
      task: { attempts: 1 },
      taskTypes: { modules: { folders: [folder] } },
    })
    other.pool.start()
    const call = other.pool.run('execute-function', { module: pathToFileURL(linked).href })
    await expect(call).rejects.toMatchObject({
      code: 'PAYLOAD_INVALID',
      message: expect.stringContaining('is not allowed'),
    })
  })

  test('run a handler of an allowed module', async () => {
    const payload = { module: 'jobs', export: 'report', payload: { rows: 3 } }
    const done = await troupe.pool.run('execute-module', payload)
    expect(done).toEqual({ name: 'report.txt', attempt: 1 })
  })

  test('are off by name while they run what payloads bring', async () => {
    const refused = troupe.pool.run('execute-code', { code: 'return 1' })
    await expect(refused).rejects.toMatchObject({
      code: 'TASK_UNKNOWN',
      message: expect.stringContaining("taskTypes: { allow: ['execute-code'] }"),
    })
  })
})
