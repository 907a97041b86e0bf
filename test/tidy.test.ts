/** Layer 0: the project's own style, checked like behaviour. Each rule is shown to find a planted fault. */
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { filesBelow, type Rule, type SourceFile } from './support/tidy-files.ts'
import { brokenPromises, GUARANTEES } from './support/tidy-guarantees.ts'
import * as imports from './support/tidy-imports.ts'
import * as rules from './support/tidy-rules.ts'
import { ImportGraph } from './support/import-graph.ts'
import { coinedWords } from './support/tidy-words.ts'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const files = await filesBelow(root)
const MAX_FUNCTION_LINES = 70

/** Each rule beside files that break it. */
const planted: readonly [name: string, rule: Rule, faults: readonly SourceFile[]][] = [
  [
    'machines import XState and siblings only',
    imports.machineImports,
    [
      { path: 'machines/a.ts', text: "import { readFile } from 'node:fs'" },
      { path: 'machines/a.ts', text: "import { b } from '../src/b.ts'" },
      { path: 'machines/a.ts', text: "import {\n  b,\n} from 'nanoid'" },
      { path: 'machines/a.ts', text: "export * from 'zod'" },
    ],
  ],
  [
    'imports point down',
    imports.layeredImports,
    [
      { path: 'machines/a.ts', text: "import type { Pool } from '../src/common/errors.ts'" },
      { path: 'src/process/a.ts', text: "import { pool } from '../pool/actor.ts'" },
      { path: 'src/child/a.ts', text: "import { pool } from '../pool/actor.ts'" },
      { path: 'src/api/a.ts', text: "import { x } from '../config/schema.ts'" },
      { path: 'src/common/errors.ts', text: "import { pool } from '../pool/logic.ts'" },
      { path: 'src/pool/actor.ts', text: "const x = await import('../server/http.ts')" },
      { path: 'src/ledger/a.ts', text: "export { x } from '../testing/x.ts'" },
    ],
  ],
  [
    'nothing imports src/cli or src/child',
    imports.closedFolders,
    [
      { path: 'src/pool/actor.ts', text: "import { entry } from '../child/entry.ts'" },
      { path: 'src/child/a.ts', text: "import { main } from '../cli/main.ts'" },
    ],
  ],
  [
    'only the child loads puppeteer',
    imports.browserOnlyInChild,
    [
      { path: 'src/pool/actor.ts', text: "import puppeteer from 'puppeteer-core'" },
      { path: 'src/pool/actor.ts', text: "import { type Page } from 'puppeteer-core'" },
      { path: 'src/pool/actor.ts', text: "const p = await import('puppeteer')" },
    ],
  ],
  [
    'XState is used by its public entries',
    imports.publicXState,
    [{ path: 'src/pool/actor.ts', text: "import { x } from 'xstate/dist/raise'" }],
  ],
  [
    "XState's inspection is known to one file",
    imports.oneInspector,
    [
      { path: 'src/pool/actor.ts', text: "if (event.type === '@xstate.snapshot') return" },
      { path: 'src/inspect/a.ts', text: "import type { InspectionEvent } from 'xstate'" },
    ],
  ],
  [
    'machines are pure',
    rules.pureMachines,
    [
      { path: 'machines/a.ts', text: 'const at = Date.now()' },
      { path: 'machines/a.ts', text: 'const n = Math.random()' },
      { path: 'machines/a.ts', text: 'async function f() {}' },
      { path: 'machines/a.ts', text: 'export let count = 0' },
      { path: 'machines/a.ts', text: 'setTimeout(f, 1)' },
    ],
  ],
  [
    'a pool takes time, chance and processes from its world',
    rules.worldly,
    [
      { path: 'src/pool/a.ts', text: 'const at = Date.now()' },
      { path: 'src/pool/actor.ts', text: 'const at = performance.now()' },
      { path: 'src/ledger/a.ts', text: 'const n = Math.random()' },
      { path: 'src/ledger/a.ts', text: 'setImmediate(() => go())' },
      { path: 'src/pool/a.ts', text: "import { nanoid } from 'nanoid'" },
      { path: 'src/pool/a.ts', text: 'const child = fork(entry)' },
      { path: 'src/pool/a.ts', text: "process.on('exit', go)" },
    ],
  ],
  [
    'files are short',
    rules.fileLength,
    [{ path: 'src/a.ts', text: `/** a */\n${'const a = 1\n'.repeat(300)}` }],
  ],
  ['lines are narrow', rules.lineWidth, [{ path: 'test/a.ts', text: `// ${'x'.repeat(118)}` }]],
  ['names are kebab-case', rules.kebabNames, [{ path: 'src/theThing.ts', text: '' }]],
  [
    'names say what a file is',
    rules.descriptiveNames,
    [
      { path: 'src/string-utils.ts', text: '' },
      { path: 'test/helpers/a.ts', text: '' },
    ],
  ],
  [
    'nothing is exported as default',
    rules.noDefaultExports,
    [{ path: 'src/a.ts', text: 'export default 1' }],
  ],
  [
    'nothing is left for later',
    rules.noMarks,
    [
      ['// TO', 'DO later'],
      ['const a = b as a', 'ny'],
      ['// @ts-', 'ignore'],
      ['it.on', "ly('x')"],
      ['describe.sk', "ip('x')"],
    ].map((parts) => ({ path: 'test/a.ts', text: parts.join('') })),
  ],
  [
    'a file opens by saying what it is',
    rules.openingComment,
    [{ path: 'src/a.ts', text: 'export const a = 1' }],
  ],
  [
    'no coined word in a name or a log text',
    coinedWords,
    [
      { path: 'src/pool/deeds.ts', text: '' },
      { path: 'src/pool/a.ts', text: 'const tellWorker = 1' },
      { path: 'machines/a.ts', text: "const a = { type: 'ledger.tell' }" },
      { path: 'src/pool/a.ts', text: "logger.warn('a deed failed')" },
    ],
  ],
  [
    'no place of the machine it was written on',
    rules.noPlaces,
    [
      { path: 'README.md', text: ['see /wo', 'rk/main/x'].join('') },
      { path: 'src/a.ts', text: ["'/ro", "ot/x'"].join('') },
      { path: '.npmrc', text: ['registry=https://regis', 'try.example.org/'].join('') },
    ],
  ],
]

describe('tidy', () => {
  it.each(planted)('%s', (_, rule) => {
    expect(files.flatMap(rule)).toEqual([])
  })
  it.each(planted)('finds a planted fault: %s', (_, rule, faults) => {
    for (const fault of faults) expect(rule(fault), fault.text).not.toEqual([])
  })
  it('does not mistake comments, strings and types for faults', () => {
    const innocent = [
      "/** @example import puppeteer from 'puppeteer' */",
      "import type { Page } from 'puppeteer-core'",
      "const say = 'see import x from there // Date'",
    ].join('\n')
    const everyImport = [imports.browserOnlyInChild, imports.layeredImports, imports.closedFolders]
    expect(everyImport.flatMap((rule) => rule({ path: 'src/a.ts', text: innocent }))).toEqual([])
  })
})

describe('the import graph', () => {
  const graph = new ImportGraph(files)

  it('has no circle, types included, and no two folders that import each other', () => {
    expect(graph.circles(true)).toEqual([])
    expect(graph.mutualFolderPairs()).toEqual([])
  })
  it('exports nothing that no other file uses', () => {
    expect(graph.deadExports()).toEqual([])
  })
  it('finds a planted circle, pair and dead export', () => {
    const faulty = new ImportGraph([
      {
        path: 'src/a/one.ts',
        text: "import type { Two } from '../b/two.ts'\nexport type One = Two",
      },
      {
        path: 'src/b/two.ts',
        text: "import type { One } from '../a/one.ts'\nexport type Two = One",
      },
      { path: 'src/b/three.ts', text: 'export const three = 3' },
    ])
    expect(faulty.circles(false)).toEqual([])
    expect(faulty.circles(true)).toEqual(['src/a/one.ts, src/b/two.ts'])
    expect(faulty.mutualFolderPairs()).toEqual(['src/a and src/b'])
    expect(faulty.deadExports()).toEqual(['src/b/three.ts: three'])
  })
})

describe('functions', () => {
  let folder = ''
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tidy-'))
  })
  afterAll(() => rm(folder, { recursive: true, force: true }))

  it('are short', async () => {
    const own = ['machines', 'src', 'visualizations'].map((name) => join(root, name))
    expect(await longFunctions(folder, own)).toEqual([])
  })
  it('finds a planted long function', async () => {
    const file = join(folder, 'long.ts')
    const body = '  f()\n'.repeat(MAX_FUNCTION_LINES)
    await writeFile(file, `export class A {\n long() {\n${body} }\n}\n`)
    expect(await longFunctions(folder, [file])).toHaveLength(1)
  })
})

describe('guarantees', () => {
  it('are each held by tests that name them', () => {
    const text = files.find(({ path }) => path === 'docs/guarantees.md')?.text ?? ''
    expect(brokenPromises(text, files)).toEqual([])
  })
  it('finds a promise without a test', () => {
    const text = GUARANTEES.map((id) => `## ${id} It holds\nTests: \`test/${id}.test.ts\`\n`).join(
      '\n',
    )
    const tests = GUARANTEES.map((id) => ({ path: `test/${id}.test.ts`, text: `// ${id}` }))
    expect(brokenPromises(text, tests)).toEqual([])
    expect(brokenPromises(text, tests.slice(1))).toHaveLength(2)
    expect(brokenPromises(text.replace('## G3', '## H3'), tests)).toHaveLength(1)
    expect(
      brokenPromises(text, [{ path: 'test/G1.test.ts', text: '' }, ...tests.slice(1)]),
    ).toHaveLength(1)
  })
})

/** Functions past the limit, as oxlint counts them. */
async function longFunctions(folder: string, paths: readonly string[]): Promise<string[]> {
  const config = join(folder, 'oxlint.json')
  const limit = ['error', { max: MAX_FUNCTION_LINES, skipBlankLines: true, skipComments: true }]
  await writeFile(
    config,
    JSON.stringify({
      plugins: [],
      categories: { correctness: 'off' },
      rules: { 'max-lines-per-function': limit },
    }),
  )
  const oxlint = join(root, 'node_modules/.bin/oxlint')
  const flags = ['-c', config, '--disable-nested-config', '--format', 'json']
  const { stdout } = await promisify(execFile)(oxlint, [...flags, ...paths]).catch(
    (error: { stdout: string }) => error,
  )
  const { diagnostics, number_of_files: count } = JSON.parse(stdout) as {
    diagnostics: { filename: string; message: string }[]
    number_of_files: number
  }
  expect(count).toBeGreaterThan(0)
  return diagnostics.map(({ filename, message }) => `${filename}: ${message}`)
}
