/**
 * What the readers of job files have in common: rows with their place, and text from bytes. A row
 * that cannot be read is a value, not an exception: the caller decides whether it ends the run.
 */

/** A row longer than this is refused: it would not fit into a frame to a worker either. */
export const MAX_ROW_CHARACTERS = 16 * 1024 * 1024

export interface GoodRow<Value> {
  readonly kind: 'row'
  /** Line of the file on which the row starts, from 1. */
  readonly line: number
  /** The row as written, for telling rows apart. */
  readonly source: string
  readonly value: Value
}

export interface BadRow {
  readonly kind: 'bad'
  readonly line: number
  /** Character of that line, from 1. */
  readonly column: number
  /** What is wrong and what to write instead. */
  readonly problem: string
}

export type Row<Value> = GoodRow<Value> | BadRow

/** What makes a whole file unreadable, with the place where reading it stopped. */
export class UnreadableError extends Error {
  readonly line: number
  readonly column: number
  constructor(bad: Omit<BadRow, 'kind'>) {
    super(bad.problem)
    this.line = bad.line
    this.column = bad.column
  }
}

/**
 * UTF-8 bytes as text, without a byte order mark.
 *
 * @throws UnreadableError where the bytes are not UTF-8.
 */
export async function* decodeText(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): AsyncGenerator<string> {
  const strict = new TextDecoder('utf-8', { fatal: true })
  // Decodes the same bytes: when the strict one throws, this one shows where.
  const lenient = new TextDecoder('utf-8')
  const place = { line: 1, column: 1 }
  const decode = (chunk?: Uint8Array): string => {
    const shown = lenient.decode(chunk, { stream: chunk !== undefined })
    try {
      const text = strict.decode(chunk, { stream: chunk !== undefined })
      movePast(text, place)
      return text
    } catch {
      movePast(shown.slice(0, Math.max(0, shown.indexOf('\uFFFD'))), place)
      const problem = 'is not UTF-8 text from here on; save the file as UTF-8'
      throw new UnreadableError({ ...place, problem })
    }
  }
  for await (const chunk of chunks) {
    const text = decode(chunk)
    if (text !== '') yield text
  }
  const rest = decode()
  if (rest !== '') yield rest
}

function movePast(text: string, place: { line: number; column: number }): void {
  let from = 0
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', from)) {
    place.line++
    place.column = 1
    from = at + 1
  }
  place.column += text.length - from
}
