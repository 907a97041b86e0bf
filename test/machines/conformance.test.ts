/**
 * G8. The checker of traces itself: it takes a true one for true, and says what is wrong with a
 * false one, and where.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { TaskSampler } from '../../src/inspect/task-sampler.ts'
import { step } from '../../src/ledger/task/task-table.ts'
import { TaskRecord } from '../../src/ledger/task/record.ts'
import { parseTaskOptions } from '../../src/config/parse.ts'
import { DEFAULT_TASK_OPTIONS } from '../../src/config/task-options.ts'
import {
  checkConformance,
  problemText,
  TraceCheck,
} from '../../src/testing/conformance/conformance.ts'
import { type TraceProblem } from '../../src/testing/conformance/trace-tally.ts'
import { falseTrace, trueTrace } from '../support/recorded-run.ts'

const trace = trueTrace()
const kinds = (lines: readonly string[]) =>
  checkConformance(lines).problems.map(({ line, kind }) => `${line} ${kind}`)
/** The trace with something changed in one line. */
const changed = (line: number, from: string | RegExp, to: string) => () =>
  trace.map((text, at) => {
    if (at !== line - 1) return text
    if (text.replace(from, to) === text) throw new Error(`${text} has no ${String(from)}`)
    return text.replace(from, to)
  })

describe('a true trace', () => {
  test('conforms, and tells what it took', () => {
    const report = checkConformance(trace)
    expect(report.problems.map(problemText)).toEqual([])
    expect(report).toMatchObject({ ok: true, lines: 7, steps: 4, actors: ['shutdown'] })
    expect([...(report.taken.get('shutdown') ?? [])]).toContain(
      'shutdown.draining · shutdown.force · 0',
    )
  })

  test('of a sampled task conforms to the task machine', () => {
    const lines: string[] = []
    const send = (line: object) =>
      lines.push(JSON.stringify({ seq: lines.length + 1, ms: 0, ...line }))
    const sampler = new TaskSampler({
      nowMs: () => 0,
      met: (standing) => send({ ...standing, machine: 'task', history: {} }),
      stepped: send,
    })
    const options = parseTaskOptions({ attempts: 2 }, DEFAULT_TASK_OPTIONS)
    const record = new TaskRecord('one', 'title', null, options, 0)
    const lost = { code: 'TASK_FAILED', message: 'no' }
    for (const event of [
      { type: 'task.accepted' },
      { type: 'attempt.assigned' },
      { type: 'attempt.ended', verdict: 'retryable', error: lost },
      { type: 'backoff.passed' },
      { type: 'attempt.assigned' },
      { type: 'attempt.started' },
      { type: 'attempt.ended', verdict: 'ok', error: null },
    ] as const) {
      sampler.step(record, event, () => {})
    }
    expect(record.state).toBe('succeeded')
    const check = new TraceCheck({ isBare: true })
    for (const line of [...lines, '{"seq":9,"ms":0,"end":"idle"}']) check.take(line)
    expect(check.end().problems.map(problemText)).toEqual([])
    expect(check.end().steps).toBe(7)
    // It has ended and is forgotten: a long run has many tasks.
    check.take(`{"seq":10,${lines.at(-1)?.split(',').slice(1).join(',')}`)
    expect(check.end().problems).toMatchObject([
      { kind: 'order', actor: 'task one', message: expect.stringContaining('after its end') },
      { kind: 'truncated' },
    ])
  })

  test('follows some tasks, not all: what it follows is bounded', () => {
    const met: string[] = []
    const sampler = new TaskSampler({
      nowMs: () => 0,
      met: ({ actor }) => met.push(actor),
      stepped: () => {},
    })
    const options = parseTaskOptions({}, DEFAULT_TASK_OPTIONS)
    for (let count = 0; count < 1_000; count++) {
      const record = new TaskRecord(`t${count}`, 'title', null, options, 0)
      const [watched, plain] = [record, new TaskRecord(`t${count}`, 'title', null, options, 0)]
      sampler.step(watched, { type: 'task.accepted' }, () => {})
      step(plain, { type: 'task.accepted' }, () => {})
      expect(watched.state).toBe(plain.state)
    }
    expect(met).toHaveLength(64)
  })
})

describe('a false trace says what is wrong, and at which line', () => {
  test.each([
    [
      'a state the machine does not go to',
      changed(4, /"to":"[a-z]+"/, '"to":"sweeping"'),
      '4 state',
    ],
    ['a command it does not issue', changed(3, 'intake.close', 'intake.open'), '3 commands'],
    ['a command that is missing', changed(5, /"commands":\[.*\]/, '"commands":[]'), '5 commands'],
    ['an event that leads elsewhere', changed(4, 'shutdown.force', 'workers.gone'), '4 state'],
    ['another version', changed(1, /"troupe":"[^"]+"/, '"troupe":"0.0.1"'), '1 version'],
    ['another format', changed(1, '"format":1', '"format":2'), '1 version'],
    ['another machine', changed(1, /"shutdown":"[0-9a-f]+"/, '"shutdown":"00"'), '1 machine'],
    ['no header', trace.slice(1), '1 malformed'],
    ['a line that is none', changed(4, /^\{/, ''), '4 malformed'],
    ['a line that is missing', trace.filter((_, at) => at !== 3), '4 order'],
    ['an actor nobody has met', trace.filter((_, at) => at !== 1), '2 order'],
    ['lines that changed places', swapped(3, 4), '3 order'],
    ['no end', trace.slice(0, -1), '6 truncated'],
    ['an end within a line', [...trace.slice(0, -1), '{"seq":6,"ms'], '7 truncated'],
    ['nothing at all', [], '0 truncated'],
  ])('%s', (_, lines, problem) => {
    const [first] = kinds(typeof lines === 'function' ? lines() : lines)
    expect(first).toBe(problem)
  })

  test('is told in words', () => {
    const [problem] = checkConformance(trace.filter((_, at) => at !== 3)).problems
    expect(problem && problemText(problem)).toBe(
      'line 4 (order): number 4 where 3 was due: lines are missing before it',
    )
  })

  test('reports no more than is of use', () => {
    expect(checkConformance(Array.from({ length: 99 }, () => '?')).problems).toHaveLength(20)
  })
})

describe('a folder of traces', () => {
  const inFolder = (traces: Readonly<Record<string, readonly string[]>>) => {
    const folder = mkdtempSync(join(tmpdir(), 'troupe-folder-'))
    try {
      for (const [name, lines] of Object.entries(traces)) {
        writeFileSync(join(folder, name), `${lines.join('\n')}\n`)
      }
      return checkConformance(folder)
    } finally {
      rmSync(folder, { recursive: true })
    }
  }

  test('is checked whole; a session may break off, for its worker may be killed', () => {
    const traces = { 'a.jsonl': trace, 'a.worker-1.1.jsonl': trace.slice(0, -1), 'note.txt': [] }
    expect(inFolder(traces)).toMatchObject({ ok: true, lines: 13, steps: 8 })
  })

  test('says in which trace something is wrong', () => {
    const broken = trace.slice(0, -1)
    const { ok, problems } = inFolder({ 'a.jsonl': broken, 'a.worker-1.1.jsonl': falseTrace() })
    expect(ok).toBe(false)
    expect(problems.map(({ file, kind }) => `${file} ${kind}`)).toEqual([
      'a.jsonl truncated',
      'a.worker-1.1.jsonl state',
    ])
    expect(problemText(problems[0] as TraceProblem)).toMatch(/^a\.jsonl line 6 \(truncated\): /)
  })

  test('with no trace in it proves nothing', () => {
    expect(inFolder({})).toMatchObject({ ok: false, steps: 0 })
  })
})

function swapped(one: number, other: number): string[] {
  const lines = [...trace]
  lines[one - 1] = trace[other - 1] as string
  lines[other - 1] = trace[one - 1] as string
  return lines
}
