/**
 * What goes in as CSV or JSON Lines comes out as it was, however it is cut into pieces; what is
 * broken is told by file, line and column; and whatever is fed in, the readers neither throw nor
 * hang.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { csvRows } from '../../src/cli/csv-rows.ts'
import { finishedJobs } from '../../src/cli/finished-jobs.ts'
import { checkJobFile, type JobSource, readJobs } from '../../src/cli/job-source.ts'
import { jsonlRows } from '../../src/cli/jsonl-rows.ts'
import { formatResult, refusedResult, resultOf } from '../../src/cli/result-line.ts'
import { fileSink } from '../../src/cli/result-sink.ts'
import { decodeText, type Row, UnreadableError } from '../../src/cli/rows.ts'
import { commandName, resumeCommand } from '../../src/cli/summary.ts'
import { isTroupeError } from '../../src/common/errors.ts'

const folder = mkdtempSync(join(tmpdir(), 'troupe-cli-input-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** The bytes of a text in pieces of the given sizes: a chunk may end inside a character. */
function* pieces(text: string, sizes: readonly number[]): Generator<Uint8Array> {
  const bytes = Buffer.from(text)
  let from = 0
  for (let turn = 0; from < bytes.length; turn++) {
    const size = sizes[turn % sizes.length] ?? bytes.length
    yield bytes.subarray(from, from + size)
    from += size
  }
}

async function collect<Value>(rows: AsyncIterable<Row<Value>>): Promise<Row<Value>[]> {
  const all: Row<Value>[] = []
  for await (const row of rows) all.push(row)
  return all
}

function valuesOf<Value>(rows: readonly Row<Value>[]): Value[] {
  return rows.map((row) => {
    if (row.kind === 'bad') throw new Error(`${row.line}:${row.column} ${row.problem}`)
    return row.value
  })
}

function source(name: string, format: JobSource['format']): JobSource {
  return { name, format, delimiter: ',', rereadable: true }
}

const sizes = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 4 })
const lineEnd = fc.constantFrom('\n', '\r\n', '\r')
const cell = fc.oneof(
  fc.string({ maxLength: 8 }),
  fc.string({ unit: 'grapheme', maxLength: 5 }),
  fc.string({ unit: fc.constantFrom('"', ',', '\n', '\r', ' ', 'ü', '日', 'a'), maxLength: 8 }),
)
const table = fc.integer({ min: 1, max: 4 }).chain((width) =>
  fc.record({
    header: fc.uniqueArray(fc.stringMatching(/^[a-zé_]{1,6}$/), {
      minLength: width,
      maxLength: width,
    }),
    rows: fc.array(fc.array(cell, { minLength: width, maxLength: width }), { maxLength: 6 }),
  }),
)

function csvCell(text: string, alwaysQuoted: boolean): string {
  // An empty cell is quoted too: alone on its line it would be a blank line.
  if (!alwaysQuoted && text !== '' && !/[",\r\n]/.test(text)) return text
  return `"${text.replaceAll('"', '""')}"`
}

describe('CSV', () => {
  it('reads back what was written, quoted or not, with any line end, in any pieces', async () => {
    await fc.assert(
      fc.asyncProperty(
        table,
        lineEnd,
        fc.boolean(),
        fc.boolean(),
        fc.boolean(),
        sizes,
        async ({ header, rows }, end, quoted, mark, lastEnd, cuts) => {
          const line = (cells: readonly string[]) =>
            cells.map((text) => csvCell(text, quoted)).join(',')
          const text = [header, ...rows].map(line).join(end) + (lastEnd ? end : '')
          const read = csvRows(decodeText(pieces(`${mark ? '\ufeff' : ''}${text}`, cuts)))
          const expected = rows.map((cells) =>
            Object.fromEntries(header.map((name, index) => [name, cells[index]])),
          )
          expect(valuesOf(await collect(read))).toEqual(expected)
        },
      ),
      { numRuns: 1_000 },
    )
  })

  it('says the same of the same text, however it is cut', async () => {
    const text = fc.string({
      unit: fc.constantFrom('"', ',', '\n', '\r', 'a', 'b', '""', 'é'),
      maxLength: 30,
    })
    const reading = async (whole: string, cuts: readonly number[]) => {
      try {
        return await collect(csvRows(decodeText(pieces(`a,b\n${whole}`, cuts))))
      } catch (error) {
        expect(error).toBeInstanceOf(UnreadableError)
        return [(error as UnreadableError).message]
      }
    }
    await fc.assert(
      fc.asyncProperty(text, sizes, async (whole, cuts) => {
        expect(await reading(whole, cuts)).toEqual(await reading(whole, [10_000]))
      }),
      { numRuns: 1_000 },
    )
  })

  it.each([
    ['a,b\n1,2,3\n', '2:5', 'has 3 fields where the header has 2'],
    ['a,b\r\n\r\n1\r\n', '3:1', "add the missing ones from 'b' on"],
    ['a,b\n"x"y,1\n', '2:4', 'text after a closing quote'],
    ['a,b\nx"y,1\n', '2:2', 'a quote inside a field without quotes'],
    ['a,b\n1,"x\ny\n', '2:3', 'a quote that is never closed'],
    ['', '1:1', 'is empty'],
    ['a,b,a\n', '1:5', "names two columns 'a'"],
    ['a,,c\n', '1:3', 'has no name for column 2'],
    ['a;b\n1;2\n', '1:1', "say --delimiter ';'"],
  ])('tells where %j is broken', async (text, place, words) => {
    const path = join(folder, 'broken.csv')
    writeFileSync(path, text)
    const error = await checkJobFile(source(path, 'csv')).catch((thrown: unknown) => thrown)
    expect(isTroupeError(error, 'PAYLOAD_INVALID')).toBe(true)
    expect((error as Error).message).toContain(`${path}:${place}: `)
    expect((error as Error).message).toContain(words)
  })

  it('goes on after a broken row', async () => {
    const text = 'a,b\n1,2\n"x"y,\n3,4\n5\n6,7\n'
    const rows = await collect(csvRows(decodeText(pieces(text, [3]))))
    expect(rows.map(({ kind, line }) => `${line} ${kind}`)).toEqual(
      '2 row,3 bad,4 row,5 bad,6 row'.split(','),
    )
  })
})

describe('JSON Lines', () => {
  it('reads back any JSON, with blank lines and any cut', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.jsonValue(), { maxLength: 6 }),
        fc.constantFrom('\n', '\r\n', '\n\n', '\n  \r\n'),
        sizes,
        async (values, end, cuts) => {
          const text = values.map((value) => JSON.stringify(value)).join(end)
          const read = valuesOf(await collect(jsonlRows(decodeText(pieces(text, cuts)))))
          expect(JSON.stringify(read)).toBe(JSON.stringify(values))
        },
      ),
      { numRuns: 1_000 },
    )
  })

  it('points at the first character that cannot be part of JSON', async () => {
    const broken = fc.tuple(fc.jsonValue(), fc.nat(), fc.constantFrom('\u0001', '#', '}', '"', ','))
    await fc.assert(
      fc.asyncProperty(broken, async ([value, at, wrong]) => {
        const text = JSON.stringify(value)
        const line =
          text.slice(0, at % (text.length + 1)) + wrong + text.slice(at % (text.length + 1))
        const [row] = await collect(jsonlRows(decodeText(pieces(line, [1_000]))))
        if (row?.kind !== 'bad') return
        expect(() => JSON.parse(line)).toThrow()
        expect(row.column).toBeGreaterThanOrEqual(1)
        expect(row.column).toBeLessThanOrEqual(line.length + 1)
        if (wrong === '\u0001' || wrong === '#') return
        // Cut before the place, what is left is sound as far as it goes: its error is at its end.
        const [before] = await collect(
          jsonlRows(decodeText(pieces(line.slice(0, row.column - 1), [1_000]))),
        )
        if (before?.kind === 'bad') expect(before.column).toBe(row.column)
      }),
      { numRuns: 1_000 },
    )
  })

  it.each([
    ['{"a":1}\n{"a":1,}\n', '2:8', 'unexpected "}"'],
    ['{"a":1}\n{"a"', '2:5', 'ends too early'],
    ["{'a':1}\n", '1:2', 'unexpected "\'"'],
    ['[\n{"a":1}\n]\n', '1:2', 'looks like a JSON array'],
    ['{"id":"x"}\n{"id":"x"}\n', '2:1', "the id 'x' of line 1"],
    ['{"id":{}}\n', '1:1', 'an id that is not a number or a string'],
  ])('tells where %j is broken', async (text, place, words) => {
    const path = join(folder, 'broken.jsonl')
    writeFileSync(path, text)
    const error = await checkJobFile(source(path, 'jsonl')).catch((thrown: unknown) => thrown)
    expect((error as Error).message).toContain(`${path}:${place}: `)
    expect((error as Error).message).toContain(words)
  })
})

describe('jobs', () => {
  it('are refused where the bytes are not UTF-8', async () => {
    const path = join(folder, 'latin1.csv')
    writeFileSync(path, Buffer.from('a,b\n1,caf\xe9 au lait\n', 'latin1'))
    await expect(checkJobFile(source(path, 'csv'))).rejects.toThrow(`${path}:2:6: is not UTF-8`)
  })

  it('have ids that are the same in each run and change with their row', async () => {
    const ids = async (text: string) => {
      const all: string[] = []
      for await (const job of readJobs(source('x', 'jsonl'), piecesLater(text))) all.push(job.id)
      return all
    }
    const first = await ids('{"po":1}\n{"po":1}\n{"id":7}\n')
    expect(new Set(first).size).toBe(3)
    expect(first[2]).toBe('7')
    expect(await ids('{"po":1}\r\n{"po":1}\r\n{"id":7}')).toEqual(first)
    expect((await ids('{"po":2}\n'))[0]).not.toBe(first[0])
  })

  it('never throw or hang on random bytes', async () => {
    const bytes = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 4 })
    await fc.assert(
      fc.asyncProperty(bytes, fc.constantFrom('csv', 'jsonl'), async (chunks, format) => {
        try {
          for await (const job of readJobs(source('x', format), later(chunks))) {
            expect(job.id).not.toBe('')
          }
        } catch (error) {
          expect(isTroupeError(error, 'PAYLOAD_INVALID'), String(error)).toBe(true)
        }
      }),
      { numRuns: 1_000 },
    )
  })
})

async function* later(chunks: Iterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield* chunks
}

function piecesLater(text: string): AsyncGenerator<Uint8Array> {
  return later(pieces(text, [7]))
}

describe('results', () => {
  const outcome = { taskId: 'a', name: 't', payload: 1, attempts: 1, waitMs: 0, runMs: 1.6 }

  it('are one line of JSON each, whatever a task returns', () => {
    const anything = fc.anything({
      withBigInt: true,
      withDate: true,
      withMap: true,
      withSet: true,
      withTypedArray: true,
    })
    fc.assert(
      fc.property(anything, (value) => {
        const line = formatResult(
          resultOf({ ...outcome, worker: 'worker-1', status: 'succeeded', value }),
        )
        expect(line.indexOf('\n')).toBe(line.length - 1)
        expect(JSON.parse(line)).toMatchObject({ id: 'a', status: 'succeeded', runMs: 2 })
      }),
      { numRuns: 500 },
    )
    const cyclic: Record<string, unknown> = { big: 1n, map: new Map([['k', Buffer.from('hi')]]) }
    cyclic.self = cyclic
    const line = formatResult(
      resultOf({ ...outcome, worker: null, status: 'succeeded', value: cyclic }),
    )
    expect(JSON.parse(line).value).toEqual({ big: '1', map: [['k', 'aGk=']], self: '[circular]' })
  })

  it('are found again wherever a crash cut the file off', async () => {
    const path = join(folder, 'results.jsonl')
    const lines = ['a', 'b', 'ü'].map((taskId) =>
      formatResult(resultOf({ ...outcome, taskId, worker: null, status: 'succeeded', value: 'é' })),
    )
    const bytes = Buffer.from(lines.join(''))
    for (let length = 0; length <= bytes.length; length++) {
      writeFileSync(path, bytes.subarray(0, length))
      const finished = await finishedJobs(path)
      const sink = await fileSink(path, finished)
      await sink.write(refusedResult('c', 'TASK_FAILED', 'no'))
      await sink.close()
      const written = readFileSync(path, 'utf8')
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line))
      expect(written.map(({ id }) => id)).toEqual([...finished.succeeded, 'c'])
      const whole = lines.filter((_, index) => {
        const end = Buffer.byteLength(lines.slice(0, index + 1).join(''))
        return end - 1 <= length
      })
      expect(finished.succeeded.size).toBe(whole.length)
    }
  })

  it('count as they ended last', async () => {
    const path = join(folder, 'twice.jsonl')
    writeFileSync(path, '{"id":"a","status":"failed"}\n{"id":"a","status":"succeeded"}\n')
    expect((await finishedJobs(path)).succeeded).toEqual(new Set(['a']))
  })

  it('are not looked for in some other file, nor mixed with those of another run', async () => {
    const path = join(folder, 'other.txt')
    writeFileSync(path, '{"id":"a","status":"succeeded"}\nhello\nworld\n')
    await expect(finishedJobs(path)).rejects.toThrow(`${path}:2:1: is not a line of results`)
    await expect(fileSink(path, null)).rejects.toThrow('add --resume')
  })

  it('leave no file when there are none', async () => {
    const path = join(folder, 'none.jsonl')
    await (await fileSink(path, null)).close()
    expect(() => readFileSync(path)).toThrow('ENOENT')
  })
})

describe('the resume command', () => {
  it('is what one would type, quoted where need be', () => {
    expect(resumeCommand('troupe', ['run', "it's.csv", '--out', 'a b'])).toBe(
      "troupe run 'it'\\''s.csv' --out 'a b' --resume",
    )
    expect(resumeCommand('troupe', ['run', 'a', '--resume'])).toBe('troupe run a --resume')
    expect(commandName('/usr/bin/troupe', {})).toBe('troupe')
    expect(commandName('/x/.bin/troupe', { npm_command: 'exec' })).toBe('npx troupe')
    expect(commandName('/x/src/cli/main.ts', {})).toBe('node /x/src/cli/main.ts')
  })
})
