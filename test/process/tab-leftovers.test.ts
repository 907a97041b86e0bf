/**
 * G6. What a task leaves in its tab beside its document: pages that do not let go, and input that is
 * held down. On both kinds of browser, under both isolations.
 */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { installedPrograms } from '../support/installed-browsers.ts'
import { Harness } from './child-harness.ts'

const TASKS = new URL('./child-tasks/leftovers.ts', import.meta.url)
/** Far below a page's 60 s, far above what a tab or a look at a hung page takes on a busy machine. */
const SOON_MS = 10_000
const isDeep = process.env['TROUPE_FIELD'] === 'deep'

let server: Server
let base: string
let harness: Harness
let count = 0

beforeAll(async () => {
  server = createServer((request, response) => {
    response.setHeader('content-type', 'text/html')
    response.end(`<title>${request.url}</title><p>here</p>`)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(() => {
  server.closeAllConnections()
  server.close()
})

async function run(name: string, payload: unknown = null) {
  count += 1
  harness.run(`t${count}`, name, payload)
  return harness.ended(`t${count}`)
}

const programs = await installedPrograms()
const all = programs.flatMap(([name, program]) =>
  (['session', 'context'] as const).map((isolation) => ({ name, isolation, program })),
)
/** Within `npm test` the default isolation alone, and a full Chromium, which takes its time, for the worst. */
const asked = all.filter(({ isolation }) => isDeep || isolation === 'session')
const HELD = ['Control', 'a', 'mouse', 'moved', 'touch', 'composition']
const PLACES = ['window', 'capture', 'frame', 'timer'].flatMap((place) =>
  ['unload', 'pagehide', 'beforeunload'].map((event) => [event, place] as const),
)
const SHORT = [
  ['unload', 'window'],
  ['unload', 'frame'],
  ['pagehide', 'timer'],
] as const

// One browser for all: whatever a case leaves must not be felt by the next one either.
describe.each(asked)('$name, isolation $isolation', ({ name: browser, isolation, program }) => {
  const isShort = browser === 'debian' && !isDeep
  const spins = isDeep ? PLACES : SHORT.slice(0, isShort ? 1 : SHORT.length)
  beforeAll(async () => {
    harness = new Harness(TASKS)
    const args = process.getuid?.() === 0 ? ['--no-sandbox'] : []
    await harness.open(harness.spec({ executablePath: program, args, isolation }))
  })
  afterEach(() => expect(harness.all('browserLost')).toEqual([]))
  afterAll(() => harness.dispose())

  it.each([...spins, ['visibilitychange', 'document'] as const])(
    'a page that spins on %s (%s) does not hold up the next task',
    async (event, place) => {
      const left = await run('spinsOn', { url: `${base}/spins`, event, in: place })
      expect(left.error?.message).toBeUndefined()
      const before = performance.now()
      const end = await run('title', `${base}/next`)
      expect(end).toMatchObject({ verdict: 'ok', value: '/next' })
      expect(performance.now() - before).toBeLessThan(SOON_MS)
    },
  )

  it('a page that asks whether it may be left does not ask the next task', async () => {
    expect(await run('asksToStay', `${base}/asks`)).toMatchObject({ verdict: 'ok' })
    expect((await run('dialogs', `${base}/next`)).value).toEqual(['/next', []])
  })

  it.each(HELD.filter((what) => !isShort || what === 'Control' || what === 'mouse'))(
    'input that is held down (%s) is not felt by the next task',
    async (what) => {
      expect((await run('holds', what)).error?.message).toContain('held down')
      expect((await run('uses')).value).toEqual({
        hover: false,
        text: 'a hello',
        seen: [
          ['mousedown', 0, 1, false],
          ['touchstart', 1],
        ],
      })
    },
  )

  it('a document that was written without a navigation is not there', async () => {
    await run('writes')
    expect((await run('reads')).value).toEqual(['undefined', null])
  })
})
