/**
 * `npm run field -- [--json] [files]`: the field tests in their deep form. What happens goes to stderr;
 * with `--json` the last line on stdout is `{ cases, passed, failed, skipped, browsers }`.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { installedBrowsers } from '../support/installed-browsers.ts'

interface VitestReport {
  readonly numTotalTests: number
  readonly numPassedTests: number
  readonly numFailedTests: number
  readonly numFailedTestSuites: number
  readonly numPendingTests: number
  readonly numTodoTests: number
}

const root = fileURLToPath(new URL('../../', import.meta.url))
const { values, positionals } = parseArgs({
  options: { json: { type: 'boolean', default: false } },
  allowPositionals: true,
})

const folder = mkdtempSync(join(tmpdir(), 'field-'))
const output = join(folder, 'report.json')
const vitest = join(root, 'node_modules/vitest/vitest.mjs')
const reporters = ['--reporter=verbose', '--reporter=json', `--outputFile.json=${output}`]
const { status } = spawnSync(
  process.execPath,
  [vitest, 'run', '--project', 'field', ...reporters, ...positionals],
  { cwd: root, env: { ...process.env, TROUPE_FIELD: 'deep' }, stdio: ['ignore', 2, 2] },
)
const report = JSON.parse(readFileSync(output, 'utf8')) as VitestReport
rmSync(folder, { recursive: true })
if (values.json) {
  const browsers = (await installedBrowsers()).map(({ name, version }) => `${name} ${version}`)
  const figures = {
    cases: report.numTotalTests,
    passed: report.numPassedTests,
    failed: report.numFailedTests,
    skipped: report.numPendingTests + report.numTodoTests,
    browsers,
  }
  process.stdout.write(`${JSON.stringify(figures)}\n`)
}
process.exitCode = status ?? 1
