/** The examples of docs/testing.md, run as they stand. */
import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { examplesOf, projectIn, writeExamples } from '../support/doc-examples.ts'

const run = promisify(execFile)
const vitest = resolve(import.meta.dirname, '../../node_modules/vitest/vitest.mjs')
let folder = ''

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'testing-docs-'))
  await projectIn(folder, ['fast-check', 'vitest'])
  await writeExamples(folder, await examplesOf('testing.md'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

describe('docs/testing.md', () => {
  test.each([
    ['model.ts', 'start, settle, pause\n4 of 6 states\n'],
    ['property.ts', 'holds\n'],
    ['sequences.ts', 'holds\n'],
    ['simulate.ts', '42\n'],
    ['simulate-time.ts', 'TASK_CANCELLED, TASK_TIMED_OUT, succeeded\n'],
    ['trace.ts', 'as the machines say\n'],
  ])('%s', async (file, printed) => {
    const { stdout } = await run(process.execPath, [file], { cwd: folder })
    expect(stdout).toBe(printed)
  })
  test('pool.test.ts', async () => {
    const { stdout } = await run(process.execPath, [vitest, 'run', '--root', folder], {
      cwd: folder,
      env: { ...process.env, VITEST: undefined, NO_COLOR: '1' },
    })
    expect(stdout).toMatch(/1 passed/)
  })
})
