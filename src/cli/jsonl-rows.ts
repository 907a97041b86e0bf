/**
 * Reads JSON Lines: one JSON value a line. Blank lines are skipped; LF and CRLF both end a line.
 */
import { type BadRow, MAX_ROW_CHARACTERS, type Row } from './rows.ts'

const EXAMPLE = 'each line must be one JSON value, as {"po":"PO-001"}'

/** The rows of JSON Lines text that comes in pieces. */
export async function* jsonlRows(pieces: AsyncIterable<string>): AsyncGenerator<Row<unknown>> {
  let line = 0
  let pending = ''
  let skipping = false
  for await (const piece of pieces) {
    const parts = piece.split('\n')
    parts[0] = pending + parts[0]
    pending = parts.pop() ?? ''
    for (const part of parts) {
      line++
      if (!skipping) yield* rowOf(part, line)
      skipping = false
    }
    if (pending.length > MAX_ROW_CHARACTERS) {
      if (!skipping) yield tooLong(line + 1)
      skipping = true
      pending = ''
    }
  }
  if (!skipping) yield* rowOf(pending, line + 1)
}

function* rowOf(text: string, line: number): Generator<Row<unknown>> {
  const source = text.endsWith('\r') ? text.slice(0, -1) : text
  if (source.trim() === '') return
  if (source.length > MAX_ROW_CHARACTERS) {
    yield tooLong(line)
    return
  }
  try {
    yield { kind: 'row', line, source, value: JSON.parse(source) as unknown }
  } catch (error) {
    yield { kind: 'bad', line, ...problemOf(source, line, error as SyntaxError) }
  }
}

function tooLong(line: number): BadRow {
  const fix = 'put the data into a file and its path into the row'
  const problem = `is longer than ${MAX_ROW_CHARACTERS} characters; ${fix}`
  return { kind: 'bad', line, column: 1, problem }
}

function problemOf(source: string, line: number, error: SyntaxError) {
  const column = columnOf(source, error)
  if (line === 1 && source.trimStart().startsWith('[')) {
    return { column, problem: `looks like a JSON array over several lines; ${EXAMPLE}` }
  }
  const found = column > source.length ? 'it ends too early' : `unexpected ${shown(source, column)}`
  return { column, problem: `is not JSON: ${found}; ${EXAMPLE}` }
}

function shown(source: string, column: number): string {
  return JSON.stringify(String.fromCodePoint(source.codePointAt(column - 1) ?? 0))
}

/**
 * Where the text stops being JSON. V8 names the position in some messages only; for the others the
 * shortest beginning that is already wrong is searched for.
 */
function columnOf(source: string, error: SyntaxError): number {
  const position = positionIn(error)
  if (position !== null) return position + 1
  let sound = 0
  let broken = source.length + 1
  while (broken - sound > 1) {
    const middle = (sound + broken) >> 1
    if (breaksWithin(source.slice(0, middle))) broken = middle
    else sound = middle
  }
  return broken
}

function breaksWithin(beginning: string): boolean {
  try {
    JSON.parse(beginning)
    return false
  } catch (error) {
    const position = positionIn(error as SyntaxError)
    if (position !== null) return position < beginning.length
    return !(error as SyntaxError).message.startsWith('Unexpected end')
  }
}

function positionIn(error: SyntaxError): number | null {
  // Only at the end of the message: before it, V8 quotes the text itself.
  const match = /at position (\d+)(?: \(line \d+ column \d+\))?$/.exec(error.message)
  return match ? Number(match[1]) : null
}
