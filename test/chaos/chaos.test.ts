/**
 * A short run of what `npm run chaos` does for as long as one likes: every kind of fault at least
 * once, on real browsers under load. It holds G1, G3, G4 and G5 under fire.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { describe, expect, test } from 'vitest'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Conformance } from '../support/traces.ts'
import { falseTrace } from '../support/recorded-run.ts'
import type { ChaosReport } from './chaos-report.ts'
import { FAULT_NAMES } from './fault-plan.ts'
import { slopeOf } from './slope.ts'

const CHAOS = new URL('./chaos.ts', import.meta.url).pathname
const KILLS = 42
const SEED = 20_261_121
const LIMIT_MS = 300_000

interface Ended {
  readonly code: number
  readonly report: ChaosReport & { readonly conformance: Conformance }
  readonly log: string
}

async function chaos(args: readonly string[]): Promise<Ended> {
  const child = spawn(process.execPath, [CHAOS, ...args, '--json'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let said = ''
  let log = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (said += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (log += text))
  const [code] = await once(child, 'close')
  const line = said.trim().split('\n').at(-1) ?? ''
  if (!line.startsWith('{')) throw new Error(`no report:\n${log}`)
  return { code: Number(code), report: JSON.parse(line) as Ended['report'], log }
}

test('under random faults no task is lost or doubled, nothing is left behind, and capacity heals', {
  timeout: LIMIT_MS,
}, async () => {
  const args = ['--kills', String(KILLS), '--seed', String(SEED), '--workers', '3']
  const { code, report } = await chaos(args)
  expect(report).toMatchObject({
    kills: KILLS,
    lost: 0,
    doubled: 0,
    wrong: 0,
    orphanProcesses: 0,
    profilesLeft: 0,
    capacityBack: true,
    unhealed: [],
    unexpectedEvents: [],
    left: [],
    conformance: { differences: 0 },
  })
  expect(report.conformance.steps).toBeGreaterThan(10 * KILLS)
  expect(report.settledOnce).toBe(report.submitted)
  expect(report.succeeded).toBeGreaterThan(KILLS)
  const done = new Set(Object.keys(report.faultsByKind))
  const skipped = report.skipped.map((reason) => reason.split(':')[0])
  expect(FAULT_NAMES.filter((name) => !done.has(name))).toEqual(skipped)
  expect(code).toBe(0)
})

test('G8: a step that a machine would not take fails the run', { timeout: LIMIT_MS }, async () => {
  const traces = mkdtempSync(join(tmpdir(), 'chaos-traces-'))
  try {
    writeFileSync(join(traces, 'pool-1-planted.jsonl'), `${falseTrace().join('\n')}\n`)
    const only = ['--kills', '1', '--workers', '1', '--only', 'workerKill', '--traces', traces]
    const { code, report, log } = await chaos(only)
    expect(report).toMatchObject({ lost: 0, unhealed: [], conformance: { differences: 1 } })
    expect(report.conformance.steps).toBeGreaterThan(20)
    expect(log).toContain('DIFFERS pool-1-planted.jsonl line 4 (state) shutdown')
    expect(code).toBe(1)
    // Asked for, the traces stay: that of the pool, and of a session for each process.
    expect(readdirSync(traces).length).toBeGreaterThan(3)
  } finally {
    rmSync(traces, { recursive: true, force: true })
  }
})

describe('the slope of a row', () => {
  const minutes = Array.from({ length: 60 }, (_, index) => index * 10_000)
  const wave = (atMs: number) => Math.sin(atMs) * 5

  test('that grows is found in spite of its waves', () => {
    const grown = slopeOf(
      minutes.map((atMs) => ({ atMs, value: 100 + atMs / 20_000 + wave(atMs) })),
    )
    expect(grown.perMinute).toBeGreaterThan(2)
    expect(grown.perMinute).toBeLessThan(4)
    expect(grown.perMinute - 2 * grown.error).toBeGreaterThan(1)
  })

  test('that only waves is level', () => {
    const level = slopeOf(minutes.map((atMs) => ({ atMs, value: 100 + wave(atMs) })))
    expect(Math.abs(level.perMinute)).toBeLessThan(1)
  })
})
