/**
 * Reads CSV with a header row: each further record becomes an object of strings, by column name.
 */
import { type CsvRecord, CsvSplitter } from './csv-records.ts'
import { type BadRow, type Row, UnreadableError } from './rows.ts'

/** More columns than this are a sign of a wrong delimiter or a wrong file. */
const MAX_COLUMNS = 2_000

/**
 * The rows of CSV text that comes in pieces.
 *
 * @throws UnreadableError when the header row is missing or of no use: then no row means anything.
 */
export async function* csvRows(
  pieces: AsyncIterable<string>,
  delimiter = ',',
): AsyncGenerator<Row<Readonly<Record<string, string>>>> {
  const splitter = new CsvSplitter(delimiter)
  let header: readonly string[] | null = null
  for await (const records of batches(splitter, pieces)) {
    for (const record of records) {
      if (header === null) header = headerOf(record, delimiter)
      else yield record.kind === 'bad' ? record : rowOf(record, header)
    }
  }
  if (header === null) {
    const problem = 'is empty; the first line must name the columns, as po,supplier'
    throw new UnreadableError({ line: 1, column: 1, problem })
  }
}

async function* batches(splitter: CsvSplitter, pieces: AsyncIterable<string>) {
  for await (const piece of pieces) yield splitter.push(piece)
  yield splitter.end()
}

function headerOf(record: CsvRecord | BadRow, delimiter: string): readonly string[] {
  if (record.kind === 'bad') throw new UnreadableError(record)
  const names = record.fields.map((name) => name.trim())
  const refuse = (index: number, problem: string): never => {
    throw new UnreadableError({
      line: record.line,
      column: record.columns[index] ?? 1,
      problem,
    })
  }
  if (names.length > MAX_COLUMNS) refuse(0, `has more than ${MAX_COLUMNS} columns`)
  const other = names.length === 1 && [';', '\t', '|', ','].find((mark) => names[0]?.includes(mark))
  if (other && other !== delimiter) {
    refuse(0, `has one column, but contains ${JSON.stringify(other)}; say --delimiter '${other}'`)
  }
  names.forEach((name, index) => {
    if (name === '') refuse(index, `has no name for column ${index + 1}; give each column one`)
    const first = names.indexOf(name)
    if (first !== index) refuse(index, `names two columns '${name}'; rename one of them`)
  })
  return names
}

function rowOf(
  record: CsvRecord,
  header: readonly string[],
): Row<Readonly<Record<string, string>>> {
  const { line, source, fields, columns } = record
  if (fields.length === header.length) {
    // fromEntries, unlike assignment, makes a plain property even of `__proto__`.
    const value = Object.fromEntries(header.map((name, index) => [name, fields[index] ?? '']))
    return { kind: 'row', line, source, value }
  }
  const counts = `has ${fields.length} fields where the header has ${header.length}`
  const fix =
    fields.length > header.length
      ? 'put a field that contains the delimiter into quotes'
      : `add the missing ones from '${header[fields.length]}' on, empty if need be`
  const column = columns[Math.min(fields.length - 1, header.length)] ?? 1
  return { kind: 'bad', line, column, problem: `${counts}; ${fix}` }
}
