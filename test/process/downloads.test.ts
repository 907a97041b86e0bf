/**
 * Several downloads at once in one task: every file is that of the request that began it, however the server's answers
 * are ordered. TROUPE_DOWNLOAD_ROUNDS makes it long.
 */
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Artifact } from '../../src/task/context.ts'
import { installedPrograms } from '../support/installed-browsers.ts'
import { Harness } from './child-harness.ts'

const TASKS = new URL('./child-tasks/downloads.ts', import.meta.url)
const ROUNDS = Number(process.env['TROUPE_DOWNLOAD_ROUNDS'] ?? 1)
const MAX_DELAY_MS = 60
const SLOW_MS = 400
/** After the moment in which a failed action is still waited for. */
const LATER_MS = 1_400
const browsers = (await installedPrograms()).map(([name, program]) => ({ name, program }))
/** A full Chromium takes its time: within `npm test` it is asked for what matters most. */
const isDeep = ROUNDS > 1
const ISOLATIONS = ['session', 'context'] as const
let server: Server
let base: string
let harness: Harness
let count = 0

beforeAll(async () => {
  server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://portal')
    const [, kind, name = ''] = pathname.split('/')
    if (kind === 'login') {
      response.setHeader('set-cookie', 'login=1; SameSite=Lax')
      response.setHeader('content-type', 'text/html')
      return response.end(pageOf((searchParams.get('names') ?? '').split(',')))
    }
    if (request.headers.cookie !== 'login=1') return response.writeHead(403).end()
    if (kind === 'moved') {
      const token = request.headers['x-token'] === 'yes'
      return response.writeHead(302, { location: `/${token ? 'file' : 'missing'}/${name}` }).end()
    }
    if (kind === 'framing') {
      response.setHeader('content-type', 'text/html')
      return response.end(`<iframe src="/file/${name}"></iframe>`)
    }
    if (searchParams.has('tied')) return tie(response, name)
    const lateMs = searchParams.has('late') ? LATER_MS : SLOW_MS
    const slowMs = searchParams.has('later') ? 2 * SLOW_MS : lateMs
    const isSlow = name === 'slow' || searchParams.has('later')
    const delayMs = isSlow ? slowMs : Math.random() * MAX_DELAY_MS
    setTimeout(() => send(response, name), delayMs)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(() => {
  server.closeAllConnections()
  server.close()
})
afterEach(() => harness.dispose())

/** All under one name: only what is in it tells whose a file is. */
function send(response: ServerResponse, name: string): void {
  response.setHeader('content-disposition', 'attachment; filename="order.txt"')
  response.end(bodyOf(name))
}

/** Answers come at once, and all end when the last has come. */
const tied: ServerResponse[] = []
function tie(response: ServerResponse, name: string): void {
  response.setHeader('content-disposition', 'attachment; filename="tied.txt"')
  response.write(name)
  if (tied.push(response) === 3) setTimeout(() => tied.splice(0).map((one) => one.end()), SLOW_MS)
}

function bodyOf(name: string): string {
  return name.includes('empty') ? '' : name.repeat(100)
}

/** Links of every kind in turn, and buttons that start several files. */
function pageOf(names: readonly string[]): string {
  const kinds = ['', 'download', 'target=_blank', 'target=_blank rel=opener']
  const links = names.map(
    (name, index) => `<a id="${name}" href="/file/${name}" ${kinds[index % kinds.length]}>x</a>`,
  )
  const later = names.map(
    (name) => `<a id="later-${name}" href="/file/${name}?later" download>x</a>`,
  )
  return `${links.join(' ')} ${later.join(' ')}
    <a id=slow-link href="/file/slow" download>x</a>
    <a id=slow-plain href="/file/slow">x</a>
    <a id=slow-frame href="#" onclick="frame('/file/slow')">x</a>
    <a id=with-slow href="#" onclick="frame('/file/${names[0]}');frame('/file/slow')">x</a>
    <a id=blob href="#" onclick="blob()">x</a>
    <a id=slow-blob href="#" onclick="setTimeout(blob, ${LATER_MS})">x</a>
    <a id=all href="#">all</a>
    <a id=framed href="/framing/${names[0]}" target=_blank>framed</a>
    <a id=slow href="/file/slow?late" target=_blank>slow</a>
    <a id=tied href="#">tied</a>
    <script>document.querySelector('#all').onclick = () => start('')
    document.querySelector('#tied').onclick = () => start('?tied')
    function start(query) {
      for (const name of ${JSON.stringify(names)}) frame('/file/' + name + query)
    }
    function frame(src) {
      document.body.append(Object.assign(document.createElement('iframe'), { src }))
    }
    function blob() {
      const href = URL.createObjectURL(new Blob(['made here']))
      Object.assign(document.createElement('a'), { href, download: 'made' }).click()
    }</script>`
}

describe.each(browsers)('downloads at once ($name)', ({ name: browser, program }) => {
  const deep = it.skipIf(browser === 'debian' && !isDeep)

  async function open(isolation: 'session' | 'context', concurrency = 1): Promise<void> {
    harness = new Harness(TASKS, { concurrency })
    const args = process.getuid?.() === 0 ? ['--no-sandbox'] : []
    await harness.open(harness.spec({ executablePath: program, args, isolation }))
  }

  function order(kind: string, size: number): { task: string; names: string[] } {
    count += 1
    const names = Array.from({ length: size }, (_, index) => `f${count}-${index}`)
    harness.run(`t${count}`, kind, { base, names })
    return { task: `t${count}`, names }
  }

  async function held({ task, names }: ReturnType<typeof order>): Promise<Artifact[]> {
    const end = await harness.ended(task)
    expect(end.error?.message).toBeUndefined()
    const files = end.value as Artifact[]
    expect(files.map(({ path: at }) => readFileSync(at, 'utf8'))).toEqual(names.map(bodyOf))
    const sums = names.map((name) => createHash('sha256').update(bodyOf(name)).digest('hex'))
    expect(files.map(({ sha256 }) => sha256)).toEqual(sums)
    return files
  }

  it.each(isDeep || browser === 'sparticuz' ? ISOLATIONS : ISOLATIONS.slice(0, 1))(
    'are each their own (isolation %s)',
    async (kind) => {
      await open(kind, 2)
      for (let round = 0; round < ROUNDS; round += 1) {
        for (const task of ['urls', 'clicks', 'mixed']) {
          // Two tabs of one worker at once.
          const orders = [order(task, 3), order(task, 3)]
          await Promise.all(orders.map(held))
        }
      }
      await expect.poll(() => readdirSync(join(harness.folder, 'downloads', 'profile'))).toEqual([])
    },
    600_000,
  )

  it('of one action are returned, or refused', async () => {
    await open('session')
    const { task, names } = order('all', 3)
    const end = await harness.ended(task)
    const bodies = (end.value as Artifact[]).map(({ path: at }) => readFileSync(at, 'utf8'))
    expect(bodies.sort()).toEqual(names.map(bodyOf))
    const counted = await harness.ended(order('counted', 3).task)
    expect(counted.value).toHaveLength(3)
    const refused = await harness.ended(order('oneOfAll', 3).task)
    expect(refused.error?.cause).toMatchObject({ ownCode: 'DOWNLOAD_AMBIGUOUS' })
    expect(refused.verdict).toBe('permanent')
  })

  deep('in a frame of a window, after a late one, and of nothing are right', async () => {
    await open('session')
    await held(order('framed', 1))
    await held(order('late', 3))
    harness.run('empty', 'urls', { base, names: ['empty-1', 'full'] })
    await held({ task: 'empty', names: ['empty-1', 'full'] })
  })

  it("of an earlier action are not the next one's", async () => {
    await open('session')
    await held(order('lateHere', 3))
    await held(order('unknownSecond', 2))
    const { error } = await harness.ended(order('lateBlob', 1).task)
    expect(error?.cause).toMatchObject({ ownCode: 'DOWNLOAD_AMBIGUOUS' })
  })

  deep('that nobody awaits end with their task', async () => {
    await open('session')
    for (let round = 0; round < ROUNDS; round += 1) {
      await harness.ended(order('neglected', 3).task)
      await held(order('clicks', 3))
    }
    await expect.poll(() => readdirSync(join(harness.folder, 'downloads', 'profile'))).toEqual([])
  })
})
