/** Draws the rows as a table for people. Numbers are rounded here and nowhere else. */
import { type Row, round } from './row.ts'

const HEADINGS = ['row', 'figure', 'aim', 'ratio', 'met', 'beside']
/** Peers are named one below the other in the last column. */
const SEPARATOR = '  '

export function table(rows: readonly Row[]): string {
  const lines = [HEADINGS, ...rows.flatMap(linesOf)]
  const widths = HEADINGS.map((_, column) =>
    Math.max(...lines.map((line) => (line[column] ?? '').length)),
  )
  const text = lines.map((line) =>
    line
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join(SEPARATOR)
      .trimEnd(),
  )
  return `${[text[0], ruleOf(widths), ...text.slice(1)].join('\n')}\n`
}

function ruleOf(widths: readonly number[]): string {
  return widths.map((width) => '─'.repeat(width)).join(SEPARATOR)
}

function linesOf({ id, figure, unit, beside, ratio, aim, met }: Row): string[][] {
  const peers = Object.entries(beside).map(([name, value]) => `${amount(value)}  ${name}`)
  const first = [id, `${amount(figure)} ${unit}`, aim, `${round(ratio)}`, met ? 'yes' : 'no']
  return [[...first, peers[0] ?? ''], ...peers.slice(1).map((peer) => ['', '', '', '', '', peer])]
}

function amount(value: number): string {
  return round(value).toLocaleString('en', { maximumFractionDigits: 4 })
}
