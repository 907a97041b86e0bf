/** The examples of docs/tasks.md: they type-check, and they print what they promise. */
import { execFile } from 'node:child_process'
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { examplesOf, projectIn, writeExamples } from '../support/doc-examples.ts'

const run = promisify(execFile)
const root = resolve(import.meta.dirname, '../..')
let folder = ''

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tasks-docs-'))
  await projectIn(folder, [])
  await writeExamples(folder, await examplesOf('tasks.md'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

describe('docs/tasks.md', () => {
  test.each([
    ['dependencies.ts', '8\nDEPENDENCY_FAILED 6\ndependsOn goes in a circle: a → b → a\n'],
    ['keys.ts', 'true\n2 false\n4 false\n2 true\n1\n'],
    [
      'dead-letters.ts',
      'late 1 ENOENT: no such file or directory\nnever 1 not today\n1 10\ntrue 0\n',
    ],
    ['waiting.ts', '2 4 6 8 10 12\ntrue 0 true\n'],
  ])('%s', async (file, printed) => {
    const { stdout } = await run(process.execPath, [file], { cwd: folder })
    expect(stdout).toBe(printed)
  })

  test('type-checks', async () => {
    await symlink(join(root, 'node_modules', '@types'), join(folder, 'node_modules', '@types'))
    await writeFile(
      join(folder, 'tsconfig.json'),
      JSON.stringify({
        extends: join(root, 'tsconfig.json'),
        compilerOptions: { paths: { troupe: [join(root, 'src/index.ts')] } },
        include: ['*.ts'],
      }),
    )
    await run(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', folder])
  })
})
