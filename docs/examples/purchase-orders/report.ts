/**
 * Says in words and numbers how the run went: a table by supplier, the failures, the totals. Prints
 * nothing itself.
 */
import type { Order } from './orders.ts'
import type { OrderResult } from './tasks.ts'
import type { Verified } from './verification.ts'

/** One order with what became of it. */
export interface OrderReport extends Verified {
  readonly order: Order
  readonly result: OrderResult
}

/** The one line of `--json`. */
export interface Summary {
  readonly tasks: number
  readonly succeeded: number
  readonly failed: number
  /** Starts of all tasks together. */
  readonly attempts: number
  readonly files: number
  /** Files on the disk whose checksum is the portal's. */
  readonly checksumsOk: number
  /** Successful logins, counted by the portal. */
  readonly logins: number
  readonly processesStarted: number
  /** Share of the tasks that needed no new process, 0–1. */
  readonly reuseRate: number
  /** From the start of the pool to the end of its shutdown. */
  readonly wallMs: number
  /** Counted from the operating system after the shutdown. */
  readonly orphanProcesses: number
  readonly profilesLeft: number
  /** Steps that the machines took again, and where they did something else. */
  readonly conformance: { readonly steps: number; readonly differences: number }
}

export function formatReport(reports: readonly OrderReport[], summary: Summary): string {
  const bySupplier = Map.groupBy(reports, ({ order }) => order.supplier)
  const rows = [...bySupplier]
    .sort(([a], [b]) => a.localeCompare(b))
    .map(([supplier, own]) => rowOf(supplier, own))
  const table = [
    ['supplier', 'orders', 'failed', 'files', 'verified', 'KB'],
    ...rows,
    rowOf('total', reports),
  ]
  const failures = reports
    .filter(({ result }) => !result.success)
    .map(({ order, result }) => `  ${order.number} (${order.supplier}): ${result.error}`)
  return [
    ...alignColumns(table),
    '',
    `failed (${failures.length}):`,
    ...failures,
    '',
    `${summary.tasks} orders, ${summary.attempts} attempts, ${(summary.wallMs / 1_000).toFixed(1)} s`,
    `${summary.processesStarted} worker processes, ${summary.logins} logins, ` +
      `${(summary.reuseRate * 100).toFixed(1)} % of tasks needed no new process`,
    `left behind: ${summary.orphanProcesses} processes, ${summary.profilesLeft} profile folders`,
    `taken again by the machines: ${summary.conformance.steps} steps, ` +
      `${summary.conformance.differences} differences`,
  ].join('\n')
}

function rowOf(name: string, reports: readonly OrderReport[]): string[] {
  const sum = (of: (report: OrderReport) => number) =>
    reports.reduce((total, report) => total + of(report), 0)
  const figures = [
    reports.length,
    sum(({ result }) => (result.success ? 0 : 1)),
    sum(({ files }) => files),
    sum(({ checksumsOk }) => checksumsOk),
    Math.round(sum(({ bytes }) => bytes) / 1_024),
  ]
  return [name, ...figures.map(String)]
}

/** Names to the left, figures to the right, a rule below the head and above the total. */
function alignColumns(table: readonly (readonly string[])[]): string[] {
  const widths = (table[0] ?? []).map((_, column) =>
    Math.max(...table.map((row) => row[column]?.length ?? 0)),
  )
  const lines = table.map((row) =>
    row
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join('  '),
  )
  const rule = '─'.repeat(lines[0]?.length ?? 0)
  return [...lines.slice(0, 1), rule, ...lines.slice(1, -1), rule, ...lines.slice(-1)]
}
