/** The example of docs/scheduling.md, run as it stands: it prints what the text says. */
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { examplesOf, projectIn, writeExamples } from '../support/doc-examples.ts'

const run = promisify(execFile)
const document = resolve(import.meta.dirname, '../../docs/scheduling.md')
let folder = ''

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'scheduling-docs-'))
  await projectIn(folder, [])
  await writeExamples(folder, await examplesOf('scheduling.md'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

test('docs/scheduling.md prints what it promises', async () => {
  const promised = /It prints:\n\n```\n(?<text>[^`]*)```/.exec(await readFile(document, 'utf8'))
  const { stdout } = await run(process.execPath, ['groups.ts'], { cwd: folder })
  expect(stdout).toBe(promised?.groups?.text)
})
