/**
 * G8. The watch over traces that are being written: it finds a step that the machine does not take in
 * whatever file it stands, reads nothing twice, and keeps nothing that is over.
 */
import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { Recorder } from '../../src/inspect/recorder.ts'
import { checkConformance, problemText } from '../../src/testing/conformance/conformance.ts'
import { falseTrace, QUIET_PORTS, recordedShutdown, trueTrace } from '../support/recorded-run.ts'
import { TraceWatch } from '../support/trace-watch.ts'
import { watchPools, written } from '../support/traces.ts'

const LOOK_MS = 1_000
/** No process has it. */
const GONE = 2 ** 22 + 1
let folder = ''
const at = (name: string) => join(folder, name)
const write = (name: string, lines: readonly string[]) =>
  writeFileSync(at(name), `${lines.join('\n')}\n`)
const looks = (count: number) => vi.advanceTimersByTime(count * LOOK_MS)

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'troupe-watch-'))
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] })
})
afterEach(() => {
  vi.useRealTimers()
  rmSync(folder, { recursive: true, force: true })
})

describe('a watch over traces', () => {
  test('takes every step again as it is written, and none twice', () => {
    const watch = new TraceWatch(folder)
    const name = `pool-${process.pid}-a.jsonl`
    for (const line of trueTrace()) {
      appendFileSync(at(name), line.slice(0, 9))
      looks(1)
      appendFileSync(at(name), `${line.slice(9)}\n`)
      looks(2)
    }
    expect(watch.end()).toMatchObject({ ok: true, problems: [], steps: 4, lines: 7 })
  })

  test('finds a planted difference, and says in which file', () => {
    const watch = new TraceWatch(folder)
    write(`pool-${process.pid}-a.jsonl`, trueTrace())
    write(`pool-${process.pid}-a.worker-1.1.jsonl`, falseTrace())
    looks(1)
    const { ok, problems } = watch.end()
    expect(ok).toBe(false)
    expect(problems.map(problemText)).toEqual([
      expect.stringMatching(/^pool-\d+-a\.worker-1\.1\.jsonl line 4 \(state\) shutdown: /),
    ])
    expect(watch.differences).toBe(1)
  })

  test('counts differences that it does not list', () => {
    const watch = new TraceWatch(folder)
    for (let pool = 0; pool < 30; pool++) write(`pool-${process.pid}-${pool}.jsonl`, falseTrace())
    expect(watch.end().problems).toHaveLength(20)
    expect(watch.differences).toBe(30)
  })

  test('lets the trace of a killed process break off, and none of this one', () => {
    const watch = new TraceWatch(folder)
    for (const name of ['pool-1-other.jsonl', `pool-${process.pid}-own.worker-1.1.jsonl`]) {
      write(name, trueTrace().slice(0, -1))
    }
    looks(1)
    write(`pool-${process.pid}-own.jsonl`, trueTrace().slice(0, -1))
    expect(watch.end().problems).toMatchObject([
      { file: `pool-${process.pid}-own.jsonl`, kind: 'truncated' },
    ])
  })

  test('reads both parts of a long trace, and what was thrown away since', () => {
    const path = at(`pool-${process.pid}-long.jsonl`)
    const recorder = new Recorder(path, QUIET_PORTS, 2_000)
    const { run, stop } = recordedShutdown(recorder)
    const watch = new TraceWatch(folder)
    for (let round = 0; round < 5; round++) {
      run()
      recorder.flush()
      looks(1)
    }
    stop()
    recorder.close()
    const report = watch.end()
    expect(report.problems.map(problemText)).toEqual([])
    expect(report.steps).toBeGreaterThan(checkConformance(folder).steps)
  })
})

describe('a trace that is over', () => {
  const session = (incarnation: number) => `pool-${process.pid}-a.worker-1.${incarnation}.jsonl`

  test('goes when its slot has another process, at rest at once, else when it is quiet', () => {
    const watch = new TraceWatch(folder)
    write(session(1), trueTrace())
    write(session(2), trueTrace().slice(0, -1))
    looks(1)
    expect(readdirSync(folder)).toEqual([session(2)])
    write(session(3), trueTrace())
    looks(5)
    expect(readdirSync(folder)).toEqual([session(2), session(3)])
    looks(10)
    expect(readdirSync(folder)).toEqual([session(3)])
    expect(watch.end()).toMatchObject({ ok: true, steps: 12 })
  })

  test('goes with the process of its pool; a part that was renamed is still the same', () => {
    const watch = new TraceWatch(folder)
    write(`pool-${GONE}-a.jsonl`, trueTrace())
    write(`pool-${process.pid}-a.jsonl`, trueTrace())
    looks(2)
    renameSync(at(`pool-${GONE}-a.jsonl`), at(`pool-${GONE}-a.jsonl.old`))
    looks(12)
    expect(readdirSync(folder)).toEqual([`pool-${process.pid}-a.jsonl`])
    expect(watch.end().steps).toBe(8)
  })

  test('stays when it is to be looked at', () => {
    const watch = new TraceWatch(folder, { isKept: true })
    write(session(1), trueTrace())
    write(session(2), trueTrace())
    looks(3)
    expect(readdirSync(folder)).toEqual([session(1), session(2)])
    expect(watch.end()).toMatchObject({ ok: true, steps: 8 })
  })
})

describe('a run by hand', () => {
  test('says how many steps were taken again and how many differ', async () => {
    const said = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
    const before = process.env['TROUPE_TRACE']
    try {
      const conformanceOf = watchPools('chaos', folder)
      expect(process.env['TROUPE_TRACE']).toBe(folder)
      write(`pool-${process.pid}-a.jsonl`, trueTrace())
      write('pool-1-b.jsonl', falseTrace())
      await written()
      expect(await conformanceOf()).toEqual({ steps: 6, differences: 1 })
      expect(said.mock.calls.join('')).toMatch(
        /^6 steps taken again, 1 differences.*\nDIFFERS pool/,
      )
    } finally {
      said.mockRestore()
      if (before === undefined) delete process.env['TROUPE_TRACE']
      else process.env['TROUPE_TRACE'] = before
    }
  })
})
