/** The planted bugs can still be planted. That they are caught is `npm run canaries`. */
import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import { PLANTED_BUGS } from './planted-bugs.ts'
import { planted } from './tree-copy.ts'

const root = resolve(import.meta.dirname, '../..')

/** Where the tests of a layer stand. */
const LAYERS = {
  machines: /^test\/machines\//,
  fuzz: /^test\/fuzz\//,
  model: /^test\/model\//,
  simulation: /^test\/(simulation|ledger|config|inspect|statechart)\//,
  process: /^test\/(process|behaviour|field)\//,
}

describe('planted bugs', () => {
  test.each(PLANTED_BUGS)('$bug', (bug) => {
    const text = readFileSync(join(root, bug.file), 'utf8')
    expect(planted(text, bug)).not.toBe(text)
    expect(existsSync(join(root, bug.test))).toBe(true)
    expect(bug.test).toMatch(LAYERS[bug.layer])
  })
  test('are many, and of every layer', () => {
    expect(PLANTED_BUGS.length).toBeGreaterThanOrEqual(20)
    expect(new Set(PLANTED_BUGS.map(({ bug }) => bug)).size).toBe(PLANTED_BUGS.length)
    expect(new Set(PLANTED_BUGS.map(({ layer }) => layer)).size).toBe(5)
  })
  test('one whose text has changed is named', () => {
    const [bug] = PLANTED_BUGS
    if (bug === undefined) throw new Error('no bug')
    expect(() => planted('', bug)).toThrow(
      `"${bug.bug}" cannot be planted: its text is found 0 times in ${bug.file}`,
    )
  })
})
