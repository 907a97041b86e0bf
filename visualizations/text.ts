/**
 * Text without a browser: how wide a line is at most, and how words become lines. Widths are those of the widest common
 * font of each family, so that text never leaves its box wherever the picture is shown.
 */
type Tone =
  | 'name'
  | 'title'
  | 'note'
  | 'word'
  | 'guard'
  | 'command'
  | 'update'
  | 'event'
  | 'timer'
  | 'target'

export interface Span {
  readonly text: string
  readonly tone: Tone
}

/** A line of text. `top` is measured from the top of its block, in px. */
export interface Row {
  readonly spans: readonly Span[]
  readonly top: number
  readonly size: number
}

export interface Block {
  readonly width: number
  readonly height: number
  readonly rows: readonly Row[]
}

/** Font size in px and the space to the next line, by tone of a line's first word. */
const SIZES: Readonly<Record<Tone, number>> = {
  title: 20,
  name: 14,
  note: 11.5,
  word: 11,
  guard: 11,
  command: 11,
  update: 11,
  event: 11,
  timer: 11,
  target: 11,
}
const LEADING = 1.36
/** How finely lines are balanced, in px. */
const BALANCE_STEP = 8
/** DejaVu Sans Mono is the widest of the usual monospace fonts. */
const MONO_EM = 0.605
const NARROW = /[ijl.,:;'|!()[\] fIt]/
const WIDE = /[mwMW@%—…]/
const CAPITAL = /[A-Z0-9]/

/** An upper bound of a text's width in px. */
function widthOf(text: string, tone: Tone): number {
  const size = SIZES[tone]
  if (isMono(tone)) return text.length * size * MONO_EM
  const bold = tone === 'name' || tone === 'title' ? 1.08 : 1
  let em = 0
  for (const char of text) em += emOf(char)
  return em * size * bold
}

function isMono(tone: Tone): boolean {
  return tone !== 'name' && tone !== 'title' && tone !== 'note'
}

function emOf(char: string): number {
  if (NARROW.test(char)) return 0.39
  if (WIDE.test(char)) return 0.95
  return CAPITAL.test(char) ? 0.69 : 0.61
}

export function spansWidth(spans: readonly Span[]): number {
  return spans.reduce((sum, span) => sum + widthOf(span.text, span.tone), 0)
}

/** A sentence in lines of about the same length, none wider than `maxWidth`. */
export function wrapSentence(text: string, tone: Tone, maxWidth: number): Span[][] {
  const words = wordsOf(text, tone)
  let best = wrapSpans(words, maxWidth)
  for (let width = maxWidth - BALANCE_STEP; width > maxWidth / 3; width -= BALANCE_STEP) {
    const narrower = wrapSpans(words, width)
    if (narrower.length > best.length || narrower.some((line) => spansWidth(line) > width)) break
    best = narrower
  }
  return best
}

/** Breaks between spans, never inside one, so that no line is wider than `maxWidth` unless one span alone is. */
export function wrapSpans(spans: readonly Span[], maxWidth: number): Span[][] {
  const lines: Span[][] = []
  let line: Span[] = []
  for (const span of spans) {
    if (line.length > 0 && spansWidth([...line, trimmed(span)]) > maxWidth) {
      lines.push(line)
      line = []
    }
    line.push(span)
  }
  if (line.length > 0) lines.push(line)
  return lines.map(trimEnd)
}

function wordsOf(text: string, tone: Tone): Span[] {
  return text
    .split(/(?<= )/)
    .filter((word) => word !== '')
    .map((word) => ({ text: word, tone }))
}

/** Lines set one below the other. `gapAfter` adds space below a line, by its index. */
export function blockOf(
  lines: readonly (readonly Span[])[],
  gapAfter: ReadonlyMap<number, number> = new Map(),
): Block {
  let top = 0
  let width = 0
  const rows: Row[] = []
  lines.forEach((spans, at) => {
    const size = SIZES[spans[0]?.tone ?? 'note']
    rows.push({ spans, top, size })
    width = Math.max(width, spansWidth(spans))
    top += size * LEADING + (gapAfter.get(at) ?? 0)
  })
  return { width: Math.ceil(width), height: Math.ceil(top), rows }
}

function trimmed(span: Span): Span {
  return { ...span, text: span.text.trimEnd() }
}

function trimEnd(line: readonly Span[]): Span[] {
  return line.map((span, at) => (at === line.length - 1 ? trimmed(span) : span))
}
