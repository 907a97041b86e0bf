/**
 * Reads a results file of an earlier run: which jobs have succeeded and need not run again. A last
 * line that was cut off by a crash is no result; `soundBytes` says where to go on writing.
 */
import { createReadStream } from 'node:fs'
import { TroupeError } from '../common/errors.ts'

export interface FinishedJobs {
  readonly succeeded: ReadonlySet<string>
  /** Length of the file without a torn last line. */
  readonly soundBytes: number
  /** The last line is whole but lacks its line end. */
  readonly needsLineEnd: boolean
}

const LINE_FEED = 10
const MAX_LINE_BYTES = 256 * 1024 * 1024

/**
 * @throws CONFIG_INVALID when a line before the last is not a result: it is some other file.
 */
export async function finishedJobs(path: string): Promise<FinishedJobs> {
  const succeeded = new Set<string>()
  let soundBytes = 0
  let line = 0
  for await (const { bytes, whole } of lines(path)) {
    line++
    const text = bytes.toString('utf8').trim()
    const result = text === '' ? null : parse(text)
    if (!whole) {
      // A result without its line end was written in full. Anything else was cut off.
      if (result === null) break
      note(result, succeeded)
      return { succeeded, soundBytes: soundBytes + bytes.length, needsLineEnd: true }
    }
    if (result !== null) note(result, succeeded)
    else if (text !== '') throw notAResult(path, line)
    soundBytes += bytes.length + 1
  }
  return { succeeded, soundBytes, needsLineEnd: false }
}

function notAResult(path: string, line: number): TroupeError {
  const fix = 'name the results file of the run to resume, or another name to start anew'
  return new TroupeError('CONFIG_INVALID', `${path}:${line}:1: is not a line of results; ${fix}`)
}

function note(result: { id: string; status: string }, succeeded: Set<string>): void {
  if (result.status === 'succeeded') succeeded.add(result.id)
  else succeeded.delete(result.id)
}

function parse(text: string): { id: string; status: string } | null {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value !== 'object' || value === null) return null
    const { id, status } = value as Record<string, unknown>
    return typeof id === 'string' && typeof status === 'string' ? { id, status } : null
  } catch {
    return null
  }
}

async function* lines(path: string): AsyncGenerator<{ bytes: Buffer; whole: boolean }> {
  let pieces: Buffer[] = []
  let held = 0
  for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
    let from = 0
    for (let at = chunk.indexOf(LINE_FEED); at >= 0; at = chunk.indexOf(LINE_FEED, from)) {
      yield { bytes: Buffer.concat([...pieces, chunk.subarray(from, at)]), whole: true }
      pieces = []
      held = 0
      from = at + 1
    }
    pieces.push(chunk.subarray(from))
    held += chunk.length - from
    if (held > MAX_LINE_BYTES) break
  }
  if (held > 0) yield { bytes: Buffer.concat(pieces), whole: false }
}
