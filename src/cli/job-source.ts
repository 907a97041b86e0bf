/**
 * Where `troupe run` takes its jobs from: a JSONL or CSV file, or stdin. A file is read through
 * once before anything is started, so that a mistake on its last line costs nothing.
 */
import { createHash } from 'node:crypto'
import { createReadStream, statSync } from 'node:fs'
import { extname } from 'node:path'
import { TroupeError } from '../common/errors.ts'
import { MAX_TASK_ID_LENGTH } from '../config/task-options.ts'
import { csvRows } from './csv-rows.ts'
import { jsonlRows } from './jsonl-rows.ts'
import { type BadRow, decodeText, type GoodRow, type Row, UnreadableError } from './rows.ts'

export const FORMATS = ['jsonl', 'csv'] as const
export type JobFormat = (typeof FORMATS)[number]

/** Ids are kept to find duplicates; a set of them has a limit, and so has a run. */
const MAX_JOBS = 10_000_000
const MAX_PROBLEMS_SHOWN = 5
const HASH_DIGITS = 10

export interface JobSource {
  /** As the user wrote it; `-` for stdin. */
  readonly name: string
  readonly format: JobFormat
  readonly delimiter: string
  /** False for stdin and pipes: what was read is gone. */
  readonly rereadable: boolean
}

/** One row, ready to be submitted. */
export interface Job {
  readonly kind: 'job'
  readonly id: string
  readonly line: number
  readonly payload: unknown
}

/** A row that cannot be run. It has an id, so that it has a result. */
export interface BadJob {
  readonly kind: 'badJob'
  readonly id: string
  readonly line: number
  /** With file, line, column and fix. */
  readonly message: string
}

/**
 * The source a user named.
 *
 * @throws CONFIG_INVALID when there is no such file or its format cannot be told.
 */
export function jobSource(name: string, format?: JobFormat, delimiter = ','): JobSource {
  if (name === '-') return { name, format: format ?? 'jsonl', delimiter, rereadable: false }
  const stats = statSync(name, { throwIfNoEntry: false })
  if (stats === undefined) {
    throw new TroupeError('CONFIG_INVALID', `${name}: there is no such file; name a .jsonl or .csv`)
  }
  if (stats.isDirectory()) {
    throw new TroupeError('CONFIG_INVALID', `${name} is a folder; name a .jsonl or .csv file`)
  }
  const known = format ?? FORMAT_OF_EXTENSION[extname(name).toLowerCase()]
  if (known) return { name, format: known, delimiter, rereadable: stats.isFile() }
  throw new TroupeError(
    'CONFIG_INVALID',
    `${name}: the name does not tell the format; add --format jsonl or --format csv`,
  )
}

const FORMAT_OF_EXTENSION: Readonly<Record<string, JobFormat>> = {
  '.jsonl': 'jsonl',
  '.ndjson': 'jsonl',
  '.csv': 'csv',
}

/**
 * Reads the whole file once, keeping nothing, and counts its jobs.
 *
 * @throws PAYLOAD_INVALID with the first problems: file, line, column and fix of each.
 */
export async function checkJobFile(source: JobSource): Promise<number> {
  const problems: string[] = []
  let jobs = 0
  for await (const job of readJobs(source)) {
    if (job.kind === 'job') jobs++
    else if (problems.push(job.message) >= MAX_PROBLEMS_SHOWN) break
  }
  if (problems.length > 0) throw new TroupeError('PAYLOAD_INVALID', problems.join('\n'))
  return jobs
}

/**
 * The jobs of a source, in order. Ids are unique: a second row with the same id is a bad job.
 *
 * @throws PAYLOAD_INVALID when nothing can be read at all: not UTF-8, no CSV header, no permission.
 */
export async function* readJobs(
  source: JobSource,
  input: AsyncIterable<Uint8Array> = openSource(source),
): AsyncGenerator<Job | BadJob> {
  const lineOfId = new Map<string, number>()
  try {
    for await (const row of readRows(source, input)) {
      const job = row.kind === 'bad' ? badJob(source, row) : jobOf(source, row)
      const firstLine = lineOfId.get(job.id)
      if (lineOfId.size >= MAX_JOBS) throw tooMany(source)
      if (firstLine === undefined) lineOfId.set(job.id, job.line)
      yield firstLine === undefined ? job : duplicate(source, job, firstLine)
    }
  } catch (error) {
    throw readError(source, error)
  }
}

function openSource(source: JobSource): AsyncIterable<Uint8Array> {
  return source.name === '-' ? process.stdin : createReadStream(source.name)
}

function readRows(
  source: JobSource,
  input: AsyncIterable<Uint8Array>,
): AsyncIterable<Row<unknown>> {
  const text = decodeText(input)
  return source.format === 'csv' ? csvRows(text, source.delimiter) : jsonlRows(text)
}

function jobOf(source: JobSource, row: GoodRow<unknown>): Job | BadJob {
  const { line, value } = row
  const given = typeof value === 'object' && value !== null ? Reflect.get(value, 'id') : undefined
  if (given === undefined || given === null || given === '') {
    return { kind: 'job', id: idOf(row), line, payload: value }
  }
  const id = typeof given === 'number' ? String(given) : given
  if (typeof id === 'string' && id.length <= MAX_TASK_ID_LENGTH) {
    return { kind: 'job', id, line, payload: value }
  }
  const allowed = `a number or a string of up to ${MAX_TASK_ID_LENGTH} characters`
  const problem = `has an id that is not ${allowed}; change it or leave it out`
  return badJob(source, { kind: 'bad', line, column: 1, problem })
}

/** Stable from run to run, and another one once the row has changed. */
function idOf(row: GoodRow<unknown>): string {
  const hash = createHash('sha256').update(row.source).digest('hex').slice(0, HASH_DIGITS)
  return `line-${row.line}-${hash}`
}

function badJob(source: JobSource, row: BadRow): BadJob {
  const message = `${place(source, row.line, row.column)}: ${row.problem}`
  return { kind: 'badJob', id: `line-${row.line}-bad`, line: row.line, message }
}

function duplicate(source: JobSource, job: Job | BadJob, firstLine: number): BadJob {
  const problem = `has the id '${job.id}' of line ${firstLine}; give each job its own`
  return badJob(source, { kind: 'bad', line: job.line, column: 1, problem })
}

function place(source: JobSource, line: number, column: number): string {
  return `${source.name === '-' ? 'stdin' : source.name}:${line}:${column}`
}

function tooMany(source: JobSource): TroupeError {
  const name = source.name === '-' ? 'stdin' : source.name
  return new TroupeError('PAYLOAD_INVALID', `${name}: has more than ${MAX_JOBS} jobs; split it`)
}

function readError(source: JobSource, error: unknown): TroupeError {
  if (error instanceof TroupeError) return error
  if (error instanceof UnreadableError) {
    const where = place(source, error.line, error.column)
    return new TroupeError('PAYLOAD_INVALID', `${where}: ${error.message}`)
  }
  const name = source.name === '-' ? 'stdin' : source.name
  const problem = `cannot be read: ${(error as Error).message}`
  return new TroupeError('PAYLOAD_INVALID', `${name} ${problem}`, { cause: error })
}
