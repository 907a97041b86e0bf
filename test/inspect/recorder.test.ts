/**
 * The recorder: its file has a limit and parts that stand by themselves; its memory has a limit; its
 * disk may fail. G7, G8.
 */
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { LineRing } from '../../src/inspect/line-ring.ts'
import { Recorder } from '../../src/inspect/recorder.ts'
import { bounded, MAX_DEPTH, MAX_ITEMS, MAX_TEXT } from '../../src/inspect/trace-format.ts'
import { checkConformance, problemText } from '../../src/testing/conformance/conformance.ts'
import {
  QUIET_PORTS,
  recordedPool,
  recordedShutdown,
  runShutdown,
} from '../support/recorded-run.ts'
import { written } from '../support/traces.ts'

const folder = mkdtempSync(join(tmpdir(), 'recorder-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('a trace file', () => {
  test('holds what was told, and its end', async () => {
    const path = join(folder, 'made', 'whole.jsonl')
    const recorder = new Recorder(path, QUIET_PORTS)
    expect(existsSync(path)).toBe(false)
    runShutdown(recorder)
    await written()
    expect(readFileSync(path, 'utf8').trim().split('\n')).toHaveLength(6)
    recorder.close()
    const report = checkConformance(path)
    expect(report.problems.map(problemText)).toEqual([])
    expect(report).toMatchObject({ lines: 7, steps: 4 })
    expect(statSync(path).mode & 0o777).toBe(0o600)
  })

  test('past its limit goes on in a new part; both parts stand by themselves', async () => {
    const path = join(folder, 'parts.jsonl')
    const limit = 20_000
    const recorder = new Recorder(path, QUIET_PORTS, limit)
    const { run, stop } = recordedShutdown(recorder)
    for (let turn = 0; turn < 60; turn++) {
      run()
      await written()
    }
    stop()
    recorder.close()
    for (const part of [`${path}.old`, path]) {
      expect(checkConformance(part).problems.map(problemText)).toEqual([])
      expect(statSync(part).size).toBeGreaterThan(0)
    }
    const turn = 2_000
    expect(statSync(path).size + statSync(`${path}.old`).size).toBeLessThan(limit + 2 * turn)
  })

  test('is let go at rest, and goes on afterwards', async () => {
    const path = join(folder, 'rests.jsonl')
    const recorder = new Recorder(path, QUIET_PORTS)
    const { go, rest, stop } = recordedPool(recorder)
    const isOpen = () => openFiles().includes(path)
    for (let round = 0; round < 3; round++) {
      go()
      await written()
      expect(isOpen()).toBe(true)
      rest()
      await written()
      expect(isOpen()).toBe(false)
      expect(checkConformance(path).problems.map(problemText)).toEqual([])
    }
    stop()
    recorder.close()
    expect(checkConformance(path)).toMatchObject({ ok: true, steps: 9, actors: ['pool'] })
  })

  test('on a disk that refuses says so once and harms nobody', async () => {
    const file = join(folder, 'file')
    writeFileSync(file, '')
    const problems: unknown[] = []
    const recorder = new Recorder(join(file, 'trace.jsonl'), {
      ...QUIET_PORTS,
      problem: (error) => problems.push(error),
    })
    runShutdown(recorder)
    await written()
    recorder.close()
    expect(problems).toHaveLength(1)
    expect(recorder.tail(100)).toHaveLength(5)
  })
})

/** Of this process. */
function openFiles(): string[] {
  return readdirSync('/proc/self/fd').flatMap((name) => {
    try {
      return [readlinkSync(`/proc/self/fd/${name}`)]
    } catch {
      return []
    }
  })
}

describe('memory', () => {
  test('keeps the newest lines within its limit', () => {
    const ring = new LineRing(100)
    for (let count = 0; count < 1_000; count++) ring.push(`${count}`.padStart(10, '.'))
    expect(ring.tail(1_000)).toHaveLength(10)
    expect(ring.tail(2)).toEqual(['.......998', '.......999'])
    ring.push('x'.repeat(101))
    expect(ring.tail(5)).toEqual([])
  })

  test('holds nothing of any size, and nothing that is not the machines’ business', () => {
    const deep = (levels: number): unknown => (levels === 0 ? 'end' : { inner: deep(levels - 1) })
    const value = {
      text: 'x'.repeat(MAX_TEXT + 1),
      items: Array.from({ length: MAX_ITEMS + 1 }, (_, at) => at),
      deep: deep(MAX_DEPTH + 2),
      tasks: [{ taskId: 'one', order: { payload: 'secret' } }],
      error: { message: 'no', stack: 'at home' },
      count: 10n,
    }
    const kept = bounded(value) as typeof value
    expect(kept.text).toHaveLength(MAX_TEXT)
    expect(kept.items).toHaveLength(MAX_ITEMS)
    expect(JSON.stringify(kept)).not.toMatch(/secret|at home|end/)
    expect(kept.count).toBe('10')
    expect(bounded(kept)).toEqual(kept)
  })
})
