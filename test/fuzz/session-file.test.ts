/**
 * G7. What a task file says of its sessions is taken as it is meant, or refused in words that name
 * the session and never hold a secret; and a storage state of any content never crashes a worker.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { chromiumArgs } from '../../src/child/browser/browser-process.ts'
import { MAX_SESSIONS, sessionsOf } from '../../src/child/session/session-file.ts'
import { storageStateOf } from '../../src/child/session/storage-state.ts'
import { isTroupeError } from '../../src/common/errors.ts'
import type { SessionDefinition } from '../../src/task/session-definition.ts'

const folder = mkdtempSync(join(tmpdir(), 'session-file-'))
const url = pathToFileURL(join(folder, 'tasks.ts')).href
afterAll(() => rmSync(folder, { recursive: true }))

class Refused extends Error {}
const refuse = (problem: string): never => {
  throw new Refused(problem)
}
const load = (defined: Record<string, unknown>) => sessionsOf(defined, url, refuse)
const loadOne = (definition: unknown) => load({ sessions: { x: definition } }).get('x')

async function stateFailure(storageState: SessionDefinition['storageState']): Promise<string> {
  const loaded = loadOne({ storageState })
  if (loaded === undefined) throw new Error('not loaded')
  const error = await storageStateOf(loaded, url).then(
    () => null,
    (reason: unknown) => reason,
  )
  expect(isTroupeError(error, 'WORKER_START_FAILED')).toBe(true)
  expect(Reflect.get(Object(error), 'retryable')).toBe(false)
  return (error as Error).message
}

describe('a session', () => {
  it('is the default one too, and named ones beside it', () => {
    expect([...load({}).keys()]).toEqual(['default'])
    expect([...load({ session: {}, sessions: { a: {}, b: {} } }).keys()]).toEqual([
      'default',
      'a',
      'b',
    ])
    expect([...load({ sessions: { default: { args: ['--x'] } } }).keys()]).toEqual(['default'])
  })

  it('becomes switches, and what is secret does not', () => {
    const proxy = { server: 'http://p:1', bypass: '*.x', username: 'ada', password: 'secret' }
    const loaded = loadOne({ proxy, userAgent: 'U/1', locale: 'de-DE', args: ['--mine'] })
    expect(loaded?.args).toEqual([
      '--proxy-server=http://p:1',
      '--proxy-bypass-list=*.x',
      '--user-agent=U/1',
      '--lang=de-DE',
      '--accept-lang=de-DE',
      '--mine',
    ])
    expect(loaded?.tab.credentials).toEqual({ username: 'ada', password: 'secret' })
    expect(loadOne({ proxy: 'socks5://p:1' })?.args).toEqual(['--proxy-server=socks5://p:1'])
    expect(loadOne({ baseProfile: './ada' })?.baseProfile).toBe(join(folder, 'ada'))
    expect(loadOne({ baseProfile: new URL('ada', url) })?.baseProfile).toBe(join(folder, 'ada'))
  })

  it.each([
    [{ login: 1 }, /"x" whose login is not a function/],
    [{ checkEvery: -1 }, /checkEvery is not a number/],
    [{ proxy: { server: '', password: 'secret' } }, /proxy is not 'http/],
    [{ headers: { 'bad name': 'secret' } }, /headers is not an object/],
    [{ headers: { good: 'secret\r\nx: y' } }, /headers is not/],
    [{ viewport: { width: 0, height: 1 } }, /viewport is not/],
    [{ locale: 'de DE' }, /locale is not a language/],
    [{ isolation: 'none' }, /isolation is not 'session' or 'context'/],
    [{ args: '--x' }, /args is not an array/],
    [{ logIn: () => undefined }, /unknown member "logIn". Known are: login, check/],
    ['ada', /"x" that is not an object/],
  ])('%j is refused', (definition, message) => {
    expect(() => loadOne(definition)).toThrow(message)
    expect(() => loadOne(definition)).not.toThrow(/secret/)
  })

  it.each([
    [{ sessions: [] }, /not an object of names/],
    [{ sessions: { '': {} } }, /1 to 256 characters/],
    [{ session: {}, sessions: { default: {} } }, /two sessions "default"/],
    [
      { sessions: Object.fromEntries(Array.from({ length: MAX_SESSIONS + 1 }, (_, i) => [i, {}])) },
      /more than 256 sessions/,
    ],
  ])('a set of them is refused as %j', (defined, message) => {
    expect(() => load(defined as Record<string, unknown>)).toThrow(message)
  })

  it('of any shape is taken or refused, never anything else', () => {
    const members = fc.constantFrom('login', 'proxy', 'headers', 'viewport', 'args', 'storageState')
    fc.assert(
      fc.property(fc.dictionary(members, fc.anything()), fc.anything(), (definition, other) => {
        for (const defined of [
          { sessions: { x: definition } },
          { sessions: other, session: other },
        ]) {
          try {
            expect(load(defined).get('default')).toBeDefined()
          } catch (error) {
            expect(error).toBeInstanceOf(Refused)
          }
        }
      }),
    )
  })
})

describe('a storage state', () => {
  const write = (content: string) => {
    const file = join(folder, 'state.json')
    writeFileSync(file, content)
    return file
  }

  it('of Playwright is read, from a file or as it is', async () => {
    const cookie = { name: 'a', value: 'b', domain: 'x.example', path: '/', expires: -1 }
    const state = { cookies: [cookie], origins: [{ origin: 'https://x.example' }] }
    const read = { cookies: [cookie], origins: [{ origin: 'https://x.example', localStorage: [] }] }
    write(JSON.stringify(state))
    for (const storageState of ['./state.json', new URL('state.json', url), state]) {
      const loaded = loadOne({ storageState })
      expect(loaded && (await storageStateOf(loaded, url))).toEqual(read)
    }
    const none = loadOne({})
    expect(none && (await storageStateOf(none, url))).toBe(null)
  })

  it.each([
    ['that is not there', null, /nowhere.json cannot be read: ENOENT/],
    ['that is no JSON', 'secret{', /state.json is no JSON/],
    ['that is a list', '["secret"]', /is no object/],
    ['with a bad cookie', '{"cookies":[{"value":"secret"}]}', /cookie \(number 1\) without/],
    ['with a bad origin', '{"origins":[{"origin":"secret"}]}', /origin \(number 1\)/],
    [
      'with a bad item',
      '{"origins":[{"origin":"http://x","localStorage":[{"name":"secret"}]}]}',
      /origin \(number 1\)/,
    ],
  ])('%s is refused by name, and keeps its secrets', async (_name, content, message) => {
    const failure = await stateFailure(content === null ? './nowhere.json' : write(content))
    expect(failure).toMatch(message)
    expect(failure).toContain('session "x"')
    expect(failure).not.toContain('secret')
  })

  it('of any content is taken or refused', async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.string(), fc.json()), async (content) => {
        const loaded = loadOne({ storageState: write(content) })
        if (loaded === undefined) throw new Error('not loaded')
        const state = await storageStateOf(loaded, url).catch((error: unknown) => {
          expect(isTroupeError(error, 'WORKER_START_FAILED')).toBe(true)
          return null
        })
        if (state !== null) expect(Object.keys(state).sort()).toEqual(['cookies', 'origins'])
      }),
    )
  })
})

it('no switch of a user can take a browser out of its pool’s hands', () => {
  const args = chromiumArgs({
    executablePath: '/chromium',
    args: ['--user-data-dir=/elsewhere', '--remote-debugging-pipe=no', '--lang=de'],
    headless: true,
    profileFolder: '/run/profiles/worker-1.1',
    tmpFolder: '/run/tmp',
    isolation: 'session',
    launchTimeoutMs: 1,
    session: 'default',
  })
  // Chromium takes the last of each.
  expect(args.slice(-2)).toEqual([
    '--remote-debugging-pipe',
    '--user-data-dir=/run/profiles/worker-1.1',
  ])
})
