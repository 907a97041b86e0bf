/** One line of a results file: how a job ended, as JSON. It takes any value a task can return. */
import type { TaskOutcome } from '../api/task.ts'

export interface ResultLine {
  readonly id: string
  readonly status: 'succeeded' | 'failed' | 'cancelled'
  readonly attempts: number
  readonly runMs: number
  readonly value?: unknown
  readonly error?: { readonly code: string; readonly message: string }
  readonly worker: string | null
}

/** Deeper than this, a value is told by its kind only. */
const MAX_DEPTH = 200

export function resultOf(outcome: TaskOutcome): ResultLine {
  const { taskId: id, status, attempts, runMs, worker } = outcome
  const end =
    outcome.status === 'succeeded'
      ? { value: outcome.value === undefined ? null : outcome.value }
      : { error: { code: outcome.error.code, message: outcome.error.message } }
  return { id, status, attempts, runMs: Math.round(runMs), ...end, worker }
}

/** The result of a job that never became a task. */
export function refusedResult(id: string, code: string, message: string): ResultLine {
  return { id, status: 'failed', attempts: 0, runMs: 0, error: { code, message }, worker: null }
}

/**
 * The line, with its line end. What JSON has no words for is written in a readable form: bytes as
 * base64, a Map as entries, a Set as an array, a bigint as a string, a cycle as `[circular]`.
 */
export function formatResult(result: ResultLine): string {
  return `${JSON.stringify(jsonValue(result, new Set()))}\n`
}

function jsonValue(value: unknown, above: Set<object>): unknown {
  if (typeof value === 'bigint') return String(value)
  if (typeof value !== 'object' || value === null) return value
  if (above.has(value)) return '[circular]'
  if (above.size >= MAX_DEPTH) return '[deeper]'
  above.add(value)
  try {
    return jsonObject(value, above)
  } finally {
    above.delete(value)
  }
}

function jsonObject(value: object, above: Set<object>): unknown {
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString()
  if (value instanceof RegExp) return String(value)
  if (value instanceof Error) return { name: value.name, message: value.message }
  if (value instanceof Map) return jsonObject([...value], above)
  if (value instanceof Set) return jsonObject([...value], above)
  if (value instanceof ArrayBuffer) return Buffer.from(value).toString('base64')
  if (ArrayBuffer.isView(value)) {
    return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64')
  }
  if (Array.isArray(value)) return Array.from(value, (item) => jsonValue(item, above))
  const entries = Object.entries(value).map(([key, item]) => [key, jsonValue(item, above)])
  return Object.fromEntries(entries)
}
