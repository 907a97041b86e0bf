/** Runs some tests of a copy of the project and says how many there were and which failed. */
import { execFile } from 'node:child_process'
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

/** A run that takes longer has hung, which is a way to fail. */
const RUN_LIMIT_MS = 120_000
/** A test that waits for what the bug prevents need not wait long. */
const TEST_LIMIT_MS = 30_000

interface TestRun {
  readonly passed: number
  /** Names of tests that failed, and of files that failed as a whole. */
  readonly failed: readonly string[]
  /** It did not end in time. */
  readonly isHung: boolean
}

interface JsonReport {
  readonly numPassedTests: number
  readonly testResults: readonly {
    readonly name: string
    readonly status: string
    readonly assertionResults: readonly { readonly fullName: string; readonly status: string }[]
  }[]
}

/** @param named Part of the names of the tests to run; empty: all of the files'. */
export async function runTests(
  folder: string,
  files: readonly string[],
  named: string,
): Promise<TestRun> {
  const output = join(folder, 'report.json')
  await rm(output, { force: true })
  const vitest = join(folder, 'node_modules', 'vitest', 'vitest.mjs')
  const filter = named === '' ? [] : ['-t', named]
  const report = ['--reporter=json', `--outputFile=${output}`]
  const args = [vitest, 'run', ...files, ...filter, ...report, `--testTimeout=${TEST_LIMIT_MS}`]
  let isHung = false
  await promisify(execFile)(process.execPath, args, {
    cwd: folder,
    timeout: RUN_LIMIT_MS,
    env: { ...process.env, NODE_OPTIONS: '' },
  }).catch((error: { readonly killed?: boolean }) => {
    isHung = error.killed === true
  })
  const text = await readFile(output, 'utf8').catch(() => null)
  if (text === null) return { passed: 0, failed: [], isHung }
  const { numPassedTests, testResults } = JSON.parse(text) as JsonReport
  const failed = testResults.flatMap(({ name, status, assertionResults }) => {
    const tests = assertionResults.filter((one) => one.status === 'failed')
    if (tests.length > 0) return tests.map(({ fullName }) => fullName)
    // All its tests passed, and what is looked at after them did not.
    return status === 'failed' && assertionResults.length > 0 ? [`${name}, after its tests`] : []
  })
  return { passed: numPassedTests, failed, isHung }
}
