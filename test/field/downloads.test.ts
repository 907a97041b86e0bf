/**
 * Several files wanted at once in one task. From a trial from outside: an order's attachment came under another's name
 * in most runs, or the task failed with `Invalid InterceptionId`.
 */
import { expect, vi } from 'vitest'
import { eachBrowser } from './support/browsers.ts'
import { isDeep, stranger } from './support/stranger.ts'

const ROUNDS = isDeep ? 30 : 2
vi.setConfig({ testTimeout: 600_000 })

const TASKS = `
  import { defineTasks } from 'troupe'
  const click = (page, name) => page.$eval('#' + name, (link) => link.click())
  export default defineTasks({
    urls: ({ download, payload: { base, names } }) =>
      Promise.all(names.map((name) => download(base + '/moved/' + name))),
    clicks: async ({ page, download, payload: { base, names } }) => {
      await page.goto(base + '/list?names=' + names)
      return Promise.all(names.map((name) => download(() => click(page, name))))
    },
    all: async ({ page, downloads, payload: { base, names } }) => {
      await page.goto(base + '/list?names=' + names)
      return downloads(() => page.$$eval('iframe', (frames) => {
        for (const frame of frames) frame.src = '/file/' + frame.id
      }), { count: names.length })
    },
  })
`
const SERVER = `
  import { createHash } from 'node:crypto'
  import { readFileSync } from 'node:fs'
  import { createServer } from 'node:http'
  import { createPoolActor } from 'troupe'
  const bodyOf = (name) => name.repeat(50)
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url, 'http://portal')
    const name = pathname.split('/')[2] ?? ''
    if (pathname.startsWith('/list')) {
      const names = searchParams.get('names').split(',')
      const kinds = ['', 'download', 'target=_blank']
      response.setHeader('content-type', 'text/html')
      const link = (name, index) =>
        '<a id=' + name + ' href=/file/' + name + ' ' + kinds[index] + '>x</a>' +
        '<iframe id=' + name + '></iframe>'
      return response.end(names.map(link).join(''))
    }
    if (pathname.startsWith('/moved')) return response.writeHead(302, { location: '/file/' + name }).end()
    setTimeout(() => {
      response.setHeader('content-disposition', 'attachment; filename="order.pdf"')
      response.end(bodyOf(name))
    }, Math.random() * 40)
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  const base = 'http://127.0.0.1:' + server.address().port
`
const mainOf = (isolation: string): string => `${SERVER}
  const browser = { isolation: '${isolation}' }
  const pool = createPoolActor({
    tasks: new URL('./tasks.mjs', import.meta.url), workers: 1, concurrentTasksPerWorker: 2, browser,
  }).start()
  let files = 0
  let wrong = 0
  const round = async (kind, number) => {
    const names = ['a', 'b', 'c'].map((letter) => letter + kind + number)
    const kept = await pool.run(kind, { base, names })
    const bodies = kept.map(({ path }) => readFileSync(path, 'utf8'))
    if (kind === 'all') bodies.sort()
    files += kept.length
    for (const [index, name] of names.entries()) {
      const sum = createHash('sha256').update(bodyOf(name)).digest('hex')
      if (bodies[index] !== bodyOf(name) || !kept.some(({ sha256 }) => sha256 === sum)) wrong += 1
    }
  }
  for (let number = 0; number < ${ROUNDS}; number += 1) {
    await Promise.all(['urls', 'clicks', 'all'].map((kind) => round(kind, number)))
  }
  await pool.shutdown()
  server.close()
  console.log(JSON.stringify({ files, wrong }))
`

for (const isolation of ['session', 'context']) {
  eachBrowser(`downloads three files at once in one task (${isolation})`, async ({ env }) => {
    const files = { 'main.mjs': mainOf(isolation), 'tasks.mjs': TASKS }
    const { code, lines, left, stderr } = await stranger(files, { env, timeoutMs: 600_000 })
    expect({ code, left }, stderr).toEqual({ code: 0, left: [] })
    expect(lines).toEqual([{ files: ROUNDS * 9, wrong: 0 }])
  })
}
