/**
 * Splits CSV text into records as RFC 4180 says: quoted fields may hold delimiters, line ends and
 * doubled quotes. CRLF, LF and CR end a record; blank lines are no records. It knows nothing of
 * headers. After an error it goes on with the next line.
 */
import { type BadRow, MAX_ROW_CHARACTERS } from './rows.ts'

export interface CsvRecord {
  readonly kind: 'record'
  readonly line: number
  readonly source: string
  readonly fields: readonly string[]
  /** Column at which each field starts, on the line on which it starts. */
  readonly columns: readonly number[]
}

type State = 'fieldStart' | 'bare' | 'quoted' | 'quoteInQuoted' | 'skipping'

const QUOTE = '"'

/** Feed it pieces of text with `push`, then `end` it. Both give back the records completed. */
export class CsvSplitter {
  readonly #delimiter: string
  #state: State = 'fieldStart'
  #fields: string[] = []
  #columns: number[] = []
  #field = ''
  #source = ''
  #line = 1
  #column = 1
  #recordLine = 1
  #quoteLine = 1
  #quoteColumn = 1
  #afterReturn = false
  #done: (CsvRecord | BadRow)[] = []

  constructor(delimiter = ',') {
    this.#delimiter = delimiter
  }

  push(text: string): (CsvRecord | BadRow)[] {
    let index = 0
    while (index < text.length) index = this.#step(text, index)
    return this.#take()
  }

  end(): (CsvRecord | BadRow)[] {
    if (this.#state === 'quoted') {
      const problem = 'opens a quote that is never closed; close it, or double it if it is text'
      this.#done.push({
        kind: 'bad',
        line: this.#quoteLine,
        column: this.#quoteColumn,
        problem,
      })
    } else if (this.#state !== 'skipping') this.#endRecord()
    this.#reset()
    return this.#take()
  }

  /** Takes in at least one character and returns the index of the next. */
  #step(text: string, index: number): number {
    const character = text[index] as string
    if (this.#afterReturn && character === '\n' && this.#state !== 'quoted') {
      this.#afterReturn = false
      return index + 1
    }
    if (this.#state === 'quoted') return this.#stepQuoted(text, index)
    this.#afterReturn = false
    if (character === '\n' || character === '\r') return this.#endLine(character, index)
    if (this.#state === 'skipping') return this.#advance(index)
    if (character !== this.#delimiter && character !== QUOTE) return this.#stepBare(text, index)
    if (!this.#keep(character)) return this.#advance(index)
    if (character === QUOTE) this.#quote()
    else this.#endField()
    return this.#advance(index)
  }

  /** Runs through ordinary characters in one go. */
  #stepBare(text: string, start: number): number {
    if (this.#state === 'quoteInQuoted') {
      this.#bad('has text after a closing quote; put the whole field into quotes')
      return start
    }
    if (this.#state === 'fieldStart') this.#startField('bare')
    let index = start + 1
    while (index < text.length && !this.#isSpecial(text[index] as string)) index++
    const run = text.slice(start, index)
    if (this.#keep(run)) this.#field += run
    this.#column += run.length
    return index
  }

  #isSpecial(character: string): boolean {
    return (
      character === this.#delimiter ||
      character === '\n' ||
      character === '\r' ||
      character === QUOTE
    )
  }

  /** Runs through the inside of a quoted field in one go. */
  #stepQuoted(text: string, start: number): number {
    let index = start
    while (index < text.length && text[index] !== QUOTE) {
      const character = text[index]
      if (character === '\r' || (character === '\n' && !this.#afterReturn)) {
        this.#line++
        this.#column = 1
      } else if (character !== '\n') this.#column++
      this.#afterReturn = character === '\r'
      index++
    }
    const run = text.slice(start, index)
    if (!this.#keep(run)) return index
    this.#field += run
    if (index === text.length) return index
    this.#afterReturn = false
    this.#state = 'quoteInQuoted'
    this.#source += QUOTE
    return this.#advance(index)
  }

  #quote(): void {
    if (this.#state === 'fieldStart') {
      this.#startField('quoted')
      this.#quoteLine = this.#line
      this.#quoteColumn = this.#column
    } else if (this.#state === 'quoteInQuoted') {
      this.#field += QUOTE
      this.#state = 'quoted'
    } else this.#bad('has a quote inside a field without quotes; quote the field and double it')
  }

  #endLine(character: string, index: number): number {
    if (this.#state !== 'skipping') this.#endRecord()
    this.#afterReturn = character === '\r'
    this.#line++
    this.#column = 1
    this.#reset()
    return index + 1
  }

  #startField(state: State): void {
    this.#columns.push(this.#column)
    this.#state = state
  }

  #endField(): void {
    if (this.#state === 'fieldStart') this.#columns.push(this.#column)
    this.#fields.push(this.#field)
    this.#field = ''
    this.#state = 'fieldStart'
  }

  #endRecord(): void {
    if (this.#source === '') return
    this.#endField()
    this.#done.push({
      kind: 'record',
      line: this.#recordLine,
      source: this.#source,
      fields: this.#fields,
      columns: this.#columns,
    })
  }

  #bad(problem: string): void {
    this.#done.push({ kind: 'bad', line: this.#line, column: this.#column, problem })
    this.#state = 'skipping'
  }

  /** Adds to the record as written. False: it is too long, the rest of its line is skipped. */
  #keep(text: string): boolean {
    this.#source += text
    if (this.#source.length <= MAX_ROW_CHARACTERS) return true
    const problem = `is longer than ${MAX_ROW_CHARACTERS} characters; is a quote missing?`
    this.#done.push({ kind: 'bad', line: this.#recordLine, column: 1, problem })
    this.#state = 'skipping'
    this.#source = ''
    this.#field = ''
    return false
  }

  #reset(): void {
    this.#fields = []
    this.#columns = []
    this.#field = ''
    this.#source = ''
    this.#state = 'fieldStart'
    this.#recordLine = this.#line
  }

  #advance(index: number): number {
    this.#column++
    return index + 1
  }

  #take(): (CsvRecord | BadRow)[] {
    const done = this.#done
    this.#done = []
    return done
  }
}
