/**
 * `node test/support/coverage-report.ts <folder>`: how many of each machine's transitions each layer of
 * tests takes, and which no real run takes. The folder is what TROUPE_COVERAGE named while the tests
 * ran. `--run` runs them first, `--json` adds one JSON object as the last line.
 */
import { spawn } from 'node:child_process'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { COVERAGE_VARIABLE, LAYERS, type MachineCoverage, readCoverage } from './coverage.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { run: { type: 'boolean', default: false }, json: { type: 'boolean', default: false } },
})
const USAGE = 'usage: node test/support/coverage-report.ts <folder> | --run [--json]'
const root = resolve(import.meta.dirname, '../..')

async function runSuite(folder: string): Promise<void> {
  const vitest = join(root, 'node_modules', '.bin', 'vitest')
  const suites = LAYERS.map((layer) => `test/${layer}`)
  const child = spawn(vitest, ['run', ...suites], {
    cwd: root,
    env: { ...process.env, [COVERAGE_VARIABLE]: folder },
    stdio: ['ignore', 2, 2],
  })
  const code = await new Promise((done) => child.once('close', done))
  if (code !== 0) console.error('some tests failed: what they would have taken may be missing')
}

function send({ machine, transitions, byLayer, notReal }: MachineCoverage): void {
  const shares = Object.entries(byLayer).map(
    ([layer, count]) => `${layer} ${count} (${Math.round((100 * count) / transitions)} %)`,
  )
  console.log(`${machine}: ${transitions} transitions: ${shares.join(', ')}`)
  for (const { id, layers } of notReal) {
    console.log(`  no real run: ${id} [${layers.length === 0 ? 'none' : layers.join(', ')}]`)
  }
}

async function main(): Promise<number> {
  const folder = values.run ? await mkdtemp(join(tmpdir(), 'troupe-coverage-')) : positionals[0]
  if (folder === undefined) {
    console.error(USAGE)
    return 2
  }
  if (values.run) await runSuite(folder)
  const coverage = readCoverage(folder)
  for (const machine of coverage) send(machine)
  if (values.json) {
    const brief = coverage.map(({ notReal, ...machine }) => ({
      ...machine,
      notReal: notReal.length,
    }))
    console.log(JSON.stringify({ machines: brief }))
  }
  return 0
}

process.exitCode = await main()
