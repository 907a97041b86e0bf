/**
 * Whatever is handed in as the payload of a built-in type: it is taken, or refused by name as
 * PAYLOAD_INVALID with the field; nothing else is ever thrown, and what is taken the worker can rely on.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseConfig } from '../../src/config/parse.ts'
import { isTroupeError } from '../../src/common/errors.ts'
import { taskTypesOf } from '../../src/task-types/task-type.ts'
import { TaskTypes } from '../../src/pool/host/task-type-registry.ts'
import { BUILT_IN_SCHEMAS, MAX_CODE_LENGTH } from '../../src/task-types/schema.ts'
import { issuesText } from '../../src/task-types/text.ts'
import { BUILT_IN_TYPES, type BuiltInName } from '../../src/task-types/built-in.ts'

const NAMES = Object.keys(BUILT_IN_TYPES) as BuiltInName[]
const tasks = new URL('./tasks.ts', import.meta.url)
const types = new TaskTypes(
  parseConfig({
    tasks,
    taskTypes: {
      allow: ['execute-code', 'shell-command'],
      commands: ['ls'],
      modules: { folders: [new URL('.', import.meta.url)], named: { jobs: './jobs.ts' } },
    },
  }).taskTypes,
)

function refusal(name: string, payload: unknown): string | null {
  try {
    types.check(name, payload)
    return null
  } catch (error) {
    expect(isTroupeError(error, 'PAYLOAD_INVALID'), String(error)).toBe(true)
    return (error as Error).message
  }
}

/** One payload for each type that is taken. */
const GOOD: Record<BuiltInName, Record<string, unknown>> = {
  'browser.screenshot': { url: 'https://example.com', type: 'jpeg', quality: 80, fullPage: true },
  'browser.pdf': { html: '<p>', margin: { top: '1cm' }, pages: '1-2, 4', scale: 1.5 },
  'browser.content': { url: 'data:text/html,x', as: 'text', viewport: { width: 1, height: 1 } },
  'browser.evaluate': { html: '', script: 'a => a', args: [1, { b: null }] },
  'browser.download': { url: 'http://127.0.0.1/x', name: 'x.bin', maxBytes: 5 },
  'http-request': { url: 'http://x', method: 'put', body: new Uint8Array(3), headers: { a: '' } },
  'execute-function': { module: 'jobs', export: 'add', args: [1, new Date(0)] },
  'execute-module': { module: new URL('./jobs.ts', import.meta.url).href, payload: { a: 1 } },
  'execute-code': { code: 'return 1', input: [null], timeout: 5 },
  'shell-command': { command: 'ls', args: ['-l', ''], input: 'x', exitCodes: [0, 255] },
}

/** A payload beside the field that its refusal names. */
const BAD: readonly [BuiltInName, Record<string, unknown>, string][] = [
  ['browser.screenshot', {}, 'payload.url'],
  ['browser.screenshot', { url: 'x', html: 'y' }, 'payload.url'],
  ['browser.screenshot', { url: '/relative' }, 'payload.url'],
  ['browser.screenshot', { url: 'javascript:alert(1)' }, 'payload.url'],
  ['browser.screenshot', { html: '', quality: 5 }, 'payload.quality'],
  ['browser.screenshot', { html: '', fullPage: true, selector: 'p' }, 'payload.clip'],
  ['browser.screenshot', { html: '', path: '/etc/passwd' }, 'has no field path'],
  ['browser.pdf', { html: '', margin: { top: 'calc(1px)' } }, 'payload.margin.top'],
  ['browser.pdf', { html: '', pages: '1;2' }, 'payload.pages'],
  ['browser.evaluate', { html: '', script: '' }, 'payload.script'],
  ['browser.evaluate', { html: '', script: 'a', args: [() => 1] }, 'payload.args[0]'],
  ['browser.evaluate', { html: '', script: 'a', args: [1n] }, 'payload.args[0]'],
  ['browser.download', { url: 'file:///etc/passwd' }, 'payload.url'],
  ['http-request', { url: 'ftp://x/' }, 'payload.url'],
  ['http-request', { url: 'http://x', body: 'x' }, 'payload.body'],
  ['http-request', { url: 'http://x', method: 'G E T' }, 'payload.method'],
  ['http-request', { url: 'http://x', headers: { 'a b': 'c' } }, 'payload.headers'],
  ['http-request', { url: 'http://x', headers: { a: 'b\r\nc: d' } }, 'payload.headers.a'],
  ['execute-function', { module: 'node:child_process', export: 'exec' }, 'payload.module'],
  ['execute-function', { module: '__proto__' }, 'payload.module'],
  ['execute-module', { module: new URL('../a.ts', import.meta.url).href }, 'payload.module'],
  ['execute-module', { module: `${new URL('.', import.meta.url)}%2e%2e/a.ts` }, 'payload.module'],
  ['execute-code', { code: 'x'.repeat(MAX_CODE_LENGTH + 1) }, 'payload.code'],
  ['execute-code', { code: '1', input: () => 1 }, 'payload.input'],
  ['shell-command', { command: 'rm' }, 'payload.command'],
  ['shell-command', { command: 'ls', args: ['a\0b'] }, 'payload.args[0]'],
  ['shell-command', { command: 'ls', args: '-l' }, 'payload.args'],
]

/** Fields that a rule about two fields names. */
const RELATED = ['url', 'quality', 'clip', 'body']

describe('a payload of a built-in type', () => {
  it.each(NAMES)('that is as it should be is taken: %s', (name) => {
    expect(refusal(name, GOOD[name])).toBe(null)
  })

  it.each(BAD)('%s %o is refused, and names %s', (name, payload, where) => {
    expect(refusal(name, payload)).toContain(where)
  })

  it('is taken or refused, whatever it is', () => {
    const anything = fc.anything({ withBigInt: true, withDate: true, withTypedArray: true })
    fc.assert(
      fc.property(fc.constantFrom(...NAMES), anything, (name, payload) => {
        expect(refusal(name, payload)).toMatch(new RegExp(`^${name}: payload`))
      }),
      { numRuns: 500 },
    )
  })

  it('that one field makes wrong is refused by that field, or was not made wrong', () => {
    const spoilt = fc.constantFrom(...NAMES).chain((name) =>
      fc.record({
        name: fc.constant(name),
        field: fc.constantFrom(...Object.keys(GOOD[name])),
        value: fc.oneof(fc.anything(), fc.constantFrom('', -1, 1e99, Number.NaN, {}, [], '\0')),
      }),
    )
    fc.assert(
      fc.property(spoilt, ({ name, field, value }) => {
        const payload = { ...GOOD[name], [field]: value }
        const said = refusal(name, payload)
        if (said === null) {
          expect(BUILT_IN_SCHEMAS[name].safeParse(payload).success).toBe(true)
          return
        }
        const named = [field, ...RELATED].filter((one) => said.includes(`: payload.${one}`))
        expect(named, said).not.toEqual([])
      }),
      { numRuns: 1_000 },
    )
  })

  it('is told in few words, however much is wrong', () => {
    const args = Array.from({ length: 4_000 }, () => 1)
    const said = refusal('shell-command', { command: 'ls', args }) ?? ''
    expect(said).toContain('… and 3990 more')
    expect(said.length).toBeLessThan(2_000)
  })
})

describe('issues of any validator', () => {
  it('are told whatever their paths are', () => {
    const key = fc.oneof(fc.string(), fc.integer(), fc.constant(Symbol('s')))
    const step = fc.oneof(
      key,
      key.map((one) => ({ key: one })),
    )
    const issue = fc.record({ message: fc.string(), path: fc.array(step, { maxLength: 40 }) })
    fc.assert(
      fc.property(fc.array(issue, { minLength: 1, maxLength: 30 }), (issues) => {
        const said = issuesText(issues as never)
        expect(said.startsWith('payload')).toBe(true)
        expect(said.length).toBeLessThan(6_000)
      }),
    )
  })

  it('come from types that a plug-in exports in any shape', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.anything()), (exported) => {
        expect(taskTypesOf(exported)).toEqual([])
      }),
    )
  })
})
