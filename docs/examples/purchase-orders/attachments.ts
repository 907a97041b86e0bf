/**
 * The files that suppliers attach to their orders: PDF, CSV and XML, made up from the order alone,
 * so that the same order has the same bytes on every run. It never touches the disk.
 */
import { createHash } from 'node:crypto'
import type { Order } from './orders.ts'

export interface Attachment {
  readonly name: string
  readonly mediaType: string
  readonly body: Buffer
  /** Lower-case hex. */
  readonly sha256: string
}

/** An order line. Money is in cents. */
interface Line {
  readonly article: string
  readonly quantity: number
  readonly cents: number
}

/**
 * Every eighth order comes with a parts list of half a megabyte, so that a download takes more than
 * one read.
 */
const LONG_LIST_EVERY = 8
const LONG_LIST_ROWS = 24_000

/** All attachments of an order: always a PDF, for some a CSV or an XML file too. */
export function attachmentsOf(order: Order): readonly Attachment[] {
  const lines = linesOf(order)
  const serial = Number(order.number.slice(-3))
  const attachments = [
    attachment(pdfName(order), 'application/pdf', pdf(confirmation(order, lines))),
  ]
  if (serial % 2 === 0) {
    const rows = serial % LONG_LIST_EVERY === 0 ? LONG_LIST_ROWS : lines.length
    attachments.push(attachment(`${order.number}-items.csv`, 'text/csv', csv(lines, rows)))
  }
  if (serial % 3 === 0) {
    attachments.push(
      attachment(`${order.number}-invoice.xml`, 'application/xml', xml(order, lines)),
    )
  }
  return attachments
}

function attachment(name: string, mediaType: string, body: Buffer): Attachment {
  return { name, mediaType, body, sha256: createHash('sha256').update(body).digest('hex') }
}

/** One supplier names its files in its own language, as suppliers do. */
function pdfName(order: Order): string {
  return order.supplier.startsWith('Müller')
    ? `Auftragsbestätigung ${order.number} (Müller).pdf`
    : `${order.number}-confirmation.pdf`
}

/** Two to five lines that add up to the order's amount. */
function linesOf(order: Order): readonly Line[] {
  const dice = createHash('sha256').update(order.number).digest()
  const count = 2 + (dice.readUInt8(0) % 4)
  const total = Math.round(order.amount * 100)
  const share = Math.floor(total / count)
  return Array.from({ length: count }, (_, index) => ({
    article: `A-${1000 + dice.readUInt16BE(1 + index * 2)}`,
    quantity: 1 + (dice.readUInt8(20 + index) % 12),
    cents: index === 0 ? total - share * (count - 1) : share,
  }))
}

function euros(cents: number): string {
  return (cents / 100).toFixed(2)
}

function csv(lines: readonly Line[], rows: number): Buffer {
  const text = ['row,article,quantity,amount']
  for (let row = 0; row < rows; row += 1) {
    const line = lines[row % lines.length]
    if (line) text.push(`${row + 1},${line.article},${line.quantity},${euros(line.cents)}`)
  }
  return Buffer.from(`${text.join('\r\n')}\r\n`)
}

function xml(order: Order, lines: readonly Line[]): Buffer {
  const supplier = order.supplier.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
  const items = lines.map(
    (line) =>
      `  <line article="${line.article}" quantity="${line.quantity}">${euros(line.cents)}</line>`,
  )
  return Buffer.from(
    `${[
      '<?xml version="1.0" encoding="UTF-8"?>',
      `<invoice order="${order.number}" currency="EUR">`,
      `  <supplier>${supplier}</supplier>`,
      ...items,
      `  <total>${euros(Math.round(order.amount * 100))}</total>`,
      '</invoice>',
    ].join('\n')}\n`,
  )
}

function confirmation(order: Order, lines: readonly Line[]): readonly string[] {
  return [
    `Order confirmation ${order.number}`,
    order.supplier,
    ...lines.map((line) => `${line.quantity} x ${line.article}   EUR ${euros(line.cents)}`),
    `Total EUR ${euros(Math.round(order.amount * 100))}`,
  ]
}

/**
 * The smallest PDF 1.4 that every reader opens: one page, one font, one stream, and a true cross-
 * reference table.
 */
function pdf(text: readonly string[]): Buffer {
  const shown = text.map((line) => `(${line.replace(/[\\()]/g, '\\$&')}) Tj T*`)
  const stream = `BT /F1 14 Tf 20 TL 60 780 Td\n${shown.join('\n')}\nET`
  const objects = [
    '<< /Type /Catalog /Pages 2 0 R >>',
    '<< /Type /Pages /Kids [3 0 R] /Count 1 >>',
    '<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 5 0 R' +
      ' /Resources << /Font << /F1 4 0 R >> >> >>',
    '<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>',
    `<< /Length ${stream.length} >>\nstream\n${stream}\nendstream`,
  ]
  let file = '%PDF-1.4\n'
  const offsets = objects.map((object, index) => {
    const offset = file.length
    file += `${index + 1} 0 obj\n${object}\nendobj\n`
    return offset
  })
  const table = offsets.map((offset) => `${String(offset).padStart(10, '0')} 00000 n \n`).join('')
  const size = objects.length + 1
  const trailer = `trailer\n<< /Size ${size} /Root 1 0 R >>\nstartxref\n${file.length}\n%%EOF\n`
  // Latin-1 has one byte a character: what was counted in characters above is true in bytes.
  return Buffer.from(`${file}xref\n0 ${size}\n0000000000 65535 f \n${table}${trailer}`, 'latin1')
}
