/**
 * What the pool has to say during a run, as lines above the progress: warnings and errors, each
 * once, however many workers have the same trouble. The rest is in the summary and in the results.
 */
import type { LogFields, LogSink } from '../common/logger.ts'

/** Different lines shown at most. */
const MAX_LINES = 50

/** A logger for the pool of a run. Warnings are left out when quiet. */
export function poolNotes(note: (text: string) => void, quiet: boolean): LogSink {
  const listed = new Set<string>()
  const report = (kind: string, message: string, fields: LogFields = {}) => {
    const reason = reasonOf(fields)
    const line = `${kind}: ${message}${reason === '' ? '' : `: ${reason}`}`
    if (listed.has(line) || listed.size >= MAX_LINES) return
    listed.add(line)
    note(listed.size === MAX_LINES ? 'further messages of the pool are left out' : line)
  }
  return {
    error: (message, fields) => report('error', message, fields),
    warn: (message, fields) => quiet || report('warning', message, fields),
    info() {},
    debug() {},
  }
}

/** The one field that says why: the error's message, or else the cause. */
function reasonOf({ error, cause }: LogFields): string {
  if (typeof error === 'string') return error
  if (typeof error === 'object' && error !== null && 'message' in error) {
    return String(error.message)
  }
  return typeof cause === 'string' ? cause : ''
}
