/**
 * The package as a user gets it: packed, judged by publint and attw, installed into an empty
 * project, and used there with the words of the README.
 */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { examplesOf, writeExamples } from '../support/doc-examples.ts'

const run = promisify(execFile)
const root = new URL('../../', import.meta.url).pathname
const bin = (name: string) => join(root, 'node_modules', '.bin', name)
/** The project's own Node first, as npm's scripts have it; the browser is the project's to find. */
const env = {
  ...process.env,
  PATH: [dirname(process.execPath), process.env.PATH].join(delimiter),
  NODE_OPTIONS: '',
  PUPPETEER_EXECUTABLE_PATH: '',
}
const INSTALL_LIMIT_MS = 180_000

const server = createServer((_, response) => {
  response.setHeader('content-type', 'text/html').end('<title>Example Domain</title>')
})
let folder = ''
let tarball = ''
let project = ''
let url = ''

/** The code block of the README that follows the first mention of a file. */
async function fromReadme(file: string): Promise<string> {
  const readme = await readFile(join(root, 'README.md'), 'utf8')
  const after = readme.slice(readme.indexOf(`\`${file}\`:`))
  return /```ts\n([\s\S]*?)```/.exec(after)?.[1] ?? ''
}

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  folder = await mkdtemp(join(tmpdir(), 'troupe-package-'))
  project = join(folder, 'project')
  await mkdir(project)
  const pack = ['pack', '--ignore-scripts', '--json', '--pack-destination', folder]
  const { stdout } = await run('npm', pack, { cwd: root, env })
  tarball = join(folder, (JSON.parse(stdout) as [{ filename: string }])[0].filename)
  const { devDependencies } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))
  const chromium = `@sparticuz/chromium@${devDependencies['@sparticuz/chromium']}`
  await writeFile(join(project, 'package.json'), '{ "name": "mine", "type": "module" }\n')
  const install = ['install', '--prefer-offline', '--no-audit', '--no-fund', tarball, chromium]
  await run('npm', install, { cwd: project, env })
  await writeFile(join(project, 'tasks.ts'), await fromReadme('tasks.ts'))
  const main = (await fromReadme('main.ts')).replace('https://example.com', url)
  await writeFile(join(project, 'main.ts'), main)
}, INSTALL_LIMIT_MS)

afterAll(async () => {
  server.closeAllConnections()
  server.close()
  await rm(folder, { recursive: true, force: true })
})

describe('the package', () => {
  test('is accepted by publint and by attw', async () => {
    await run(bin('publint'), ['run', '--strict', tarball], { cwd: root, env })
    await run(bin('attw'), [tarball, '--profile', 'esm-only'], { cwd: root, env })
  })

  test('holds no sources, no tests and nothing of this machine', async () => {
    const { stdout } = await run('tar', ['-tzf', tarball])
    const files = stdout.trim().split('\n')
    expect(files).toContain('package/dist/src/index.js')
    expect(files.filter((file) => /\/test\/|node_modules/.test(file))).toEqual([])
  })

  test('holds nothing whose source is gone', async () => {
    const { stdout } = await run('tar', ['-tzf', tarball])
    const built = stdout.split('\n').filter((file) => file.startsWith('package/dist/'))
    const sourceOf = (file: string) =>
      join(root, file.slice('package/dist/'.length).replace(/(\.d)?\.(ts|js)$/, '.ts'))
    expect(built.length).toBeGreaterThan(0)
    expect(built.filter((file) => !existsSync(sourceOf(file)))).toEqual([])
  })

  test("runs the README's ten lines in an empty project", async () => {
    const { stdout } = await run(process.execPath, ['main.ts'], { cwd: project, env })
    expect(stdout).toBe('Example Domain\n')
  })

  test('brings the troupe command', async () => {
    await writeFile(join(project, 'jobs.jsonl'), `${JSON.stringify({ id: 'one', url })}\n`)
    const command = join(project, 'node_modules', '.bin', 'troupe')
    const args = ['run', 'jobs.jsonl', '--tasks', './tasks.ts', '--task', 'title', '-n', '1']
    await run(command, [...args, '--out', 'results.jsonl'], { cwd: project, env })
    const results = await readFile(join(project, 'results.jsonl'), 'utf8')
    expect(JSON.parse(results)).toMatchObject({
      id: 'one',
      status: 'succeeded',
      value: 'Example Domain',
    })
  })

  test("brings troupe/testing: a model's paths and a trace", async () => {
    const cwd = join(project, 'testing')
    await mkdir(cwd)
    const examples = await examplesOf('testing.md')
    const own = ['tasks.ts', 'model.ts', 'trace.ts']
    await writeExamples(cwd, new Map([...examples].filter(([name]) => own.includes(name))))
    const model = await run(process.execPath, ['model.ts'], { cwd, env })
    expect(model.stdout).toBe('start, settle, pause\n4 of 6 states\n')
    const trace = await run(process.execPath, ['trace.ts'], { cwd, env })
    expect(trace.stdout).toBe('as the machines say\n')
  })

  test('exports its types, and the README type-checks against them', async () => {
    const options = { module: 'nodenext', target: 'es2024', lib: ['es2024', 'esnext.disposable'] }
    await writeFile(
      join(project, 'tsconfig.json'),
      JSON.stringify({
        compilerOptions: {
          ...options,
          strict: true,
          noEmit: true,
          skipLibCheck: true,
          allowImportingTsExtensions: true,
          types: ['node'],
          typeRoots: [join(root, 'node_modules', '@types')],
        },
        include: ['*.ts'],
      }),
    )
    await run(bin('tsc'), ['-p', '.'], { cwd: project, env })
  })
})
