/**
 * The border: what arrives from a child is looked at before anybody acts on it. A frame that does
 * not parse is an event to be logged, never a crash, and never a task's end.
 */
import type { AttemptReport } from '../ledger/events.ts'
import type { Frame, Report } from './protocol.ts'

/** More reports than this in one frame is garbage, not haste. */
export const MAX_ITEMS = 1_000_000
const VERDICTS: ReadonlySet<unknown> = new Set([
  'ok',
  'retryable',
  'permanent',
  'cancelled',
  'released',
])

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null
const isAttempt = (item: Record<string, unknown>) =>
  typeof item.taskId === 'string' && Number.isInteger(item.attempt)

const CHECKS: Readonly<Record<Report['kind'], (item: Record<string, unknown>) => boolean>> = {
  loaded: (item) => Array.isArray(item.tasks) && Array.isArray(item.sessions),
  sessionLaunched: () => true,
  sessionReady: (item) => item.browserPid === null || Number.isInteger(item.browserPid),
  sessionFailed: (item) => isRecord(item.error) && typeof item.permanent === 'boolean',
  browserLost: (item) => Number.isInteger(item.browserPid),
  started: isAttempt,
  ended: (item) => isAttempt(item) && VERDICTS.has(item.verdict),
  progress: isAttempt,
  log: (item) => typeof item.message === 'string' && isRecord(item.fields),
  login: () => true,
  retire: (item) => typeof item.reason === 'string',
  heartbeat: (item) => typeof item.rssBytes === 'number',
}

/** The frame, or null when it is none of ours. */
export function parseFrame(message: unknown): Frame<Report> | null {
  if (!isRecord(message) || !Number.isInteger(message.incarnation)) return null
  const { items } = message
  if (!Array.isArray(items) || items.length > MAX_ITEMS) return null
  for (const item of items as unknown[]) {
    if (!isRecord(item)) return null
    const check = CHECKS[item.kind as Report['kind']]
    if (check === undefined || !check(item)) return null
  }
  return message as unknown as Frame<Report>
}

export function isAttemptReport(report: Report): report is Report & AttemptReport {
  return report.kind === 'ended' || report.kind === 'started' || report.kind === 'progress'
}
