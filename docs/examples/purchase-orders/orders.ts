/**
 * Reads orders.csv, the demo's input. Knows no quoting: this file has none. Never guesses at a bad
 * row.
 */
import { readFile } from 'node:fs/promises'

/** One purchase order, a row of orders.csv. */
export interface Order {
  readonly id: string
  readonly number: string
  readonly supplier: string
  /** Path of the order's page, relative to the portal. */
  readonly url: string
  /** In euros. */
  readonly amount: number
}

const HEADER = 'id,number,supplier,url,amount'

/** The orders of a CSV file. Throws an Error that names the line and the field of a bad row. */
export async function readOrders(file: URL): Promise<readonly Order[]> {
  const [header, ...rows] = (await readFile(file, 'utf8')).trimEnd().split('\n')
  if (header !== HEADER) throw new Error(`line 1: the header must be "${HEADER}"`)
  return rows.map((row, index) => parseOrder(row, index + 2))
}

function parseOrder(row: string, line: number): Order {
  const [id, number, supplier, url, amount, ...rest] = row.split(',')
  if (!id || !number || !supplier || !url || !amount || rest.length > 0) {
    throw new Error(`line ${line}: expected five fields, "${HEADER}"`)
  }
  if (!url.startsWith('/')) throw new Error(`line ${line}: url must be a path, as "/orders/PO-001"`)
  if (!(Number(amount) > 0)) throw new Error(`line ${line}: amount must be a number above 0`)
  return { id, number, supplier, url, amount: Number(amount) }
}
