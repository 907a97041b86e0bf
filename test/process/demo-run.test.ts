/**
 * The main job as a user runs it: the demo as a process of its own, on the built package, with real
 * Chromium. What it says of itself is held against what the operating system says.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { leftAfter, nothingLeft, takeCensus } from '../support/census.ts'
import { falseTrace } from '../support/recorded-run.ts'

const DEMO = fileURLToPath(new URL('../../docs/examples/purchase-orders/demo.ts', import.meta.url))
const BUILT = fileURLToPath(new URL('../../dist/src/index.js', import.meta.url))
const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const TIMEOUT_MS = 120_000
const GONE_WITHIN_MS = 2_000
/** An order is at least assigned and ended, by the ledger and by a worker's session. */
const STEPS_AT_LEAST = 60 * 4

interface Demo {
  readonly process: ChildProcess
  stdout: string
  stderr: string
}

/** Starts the demo with a folder of its own for temporary files. */
function startDemo(tmpFolder: string): Demo {
  expect(existsSync(BUILT), 'the demo runs on the built package: npm run build').toBe(true)
  const options = { cwd: ROOT, env: { ...process.env, TMPDIR: tmpFolder } }
  const demo: Demo = {
    process: spawn(process.execPath, [DEMO, '--json'], options),
    stdout: '',
    stderr: '',
  }
  demo.process.stdout?.on('data', (chunk) => {
    demo.stdout += chunk
  })
  demo.process.stderr?.on('data', (chunk) => {
    demo.stderr += chunk
  })
  return demo
}

/** Resolves when the first quarter of the orders is done. */
async function halfway(demo: Demo): Promise<void> {
  while (!demo.stderr.includes('15/60 orders'))
    await once(demo.process.stderr ?? demo.process, 'data')
}

test('sixty orders: one fails for good, every file is what the portal has, nothing is left', {
  timeout: TIMEOUT_MS,
}, async () => {
  using census = takeCensus()
  const demo = startDemo(census.root)
  const [code] = await once(demo.process, 'close')
  expect(demo.stderr).not.toContain('not as it should be')
  expect(code).toBe(0)
  const summary: unknown = JSON.parse(demo.stdout.trimEnd().split('\n').at(-1) ?? '')
  expect(summary).toEqual({
    tasks: 60,
    succeeded: 59,
    failed: 1,
    attempts: 63,
    files: 109,
    checksumsOk: 109,
    logins: 5,
    processesStarted: 4,
    reuseRate: expect.closeTo(59 / 63),
    wallMs: expect.any(Number),
    orphanProcesses: 0,
    profilesLeft: 0,
    conformance: { steps: expect.any(Number), differences: 0 },
  })
  const { conformance } = summary as { conformance: { steps: number } }
  expect(conformance.steps).toBeGreaterThan(STEPS_AT_LEAST)
  expect(demo.stdout).toContain('PO-017: the portal answered 404')
  // The census has seen browsers: that it finds none now means something.
  const browsers = census.seen().filter(({ command }) => /--user-data-dir=\//.test(command))
  expect(browsers).not.toHaveLength(0)
  await nothingLeft(census, { withinMs: 0 })
})

test('G8: a step that a machine would not take fails the run', {
  timeout: TIMEOUT_MS,
}, async () => {
  using census = takeCensus()
  const demo = startDemo(census.root)
  await halfway(demo)
  const folder = readdirSync(census.root).find((name) => name.startsWith('troupe-demo-')) ?? ''
  const traces = join(census.root, folder, 'traces')
  writeFileSync(join(traces, 'planted.jsonl'), `${falseTrace().join('\n')}\n`)
  const [code] = await once(demo.process, 'close')
  expect(demo.stderr).toContain('not as it should be: planted.jsonl line 4 (state)')
  const line = demo.stdout.trimEnd().split('\n').at(-1) ?? ''
  expect(JSON.parse(line)).toMatchObject({ succeeded: 59, conformance: { differences: 1 } })
  expect(code).toBe(1)
})

test('G3: Ctrl-C in the middle leaves nothing', { timeout: TIMEOUT_MS }, async () => {
  using census = takeCensus()
  const demo = startDemo(census.root)
  await halfway(demo)
  demo.process.kill('SIGINT')
  const [code] = await once(demo.process, 'close')
  expect(code).toBe(1)
  await nothingLeft(census, { withinMs: 0 })
})

test('G3: SIGKILL in the middle leaves no process and no run folder', {
  timeout: TIMEOUT_MS,
}, async () => {
  using census = takeCensus()
  const demo = startDemo(census.root)
  await halfway(demo)
  census.look()
  demo.process.kill('SIGKILL')
  await once(demo.process, 'exit')
  const { processes, folders } = await leftAfter(census, { withinMs: GONE_WITHIN_MS })
  expect(processes).toEqual([])
  // The demo's own folder stays, for nobody was left to remove it; the pool's in it is gone.
  expect(folders.map((folder) => readdirSync(join(folder, 'run')))).toEqual([[]])
})
