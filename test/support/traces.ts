/**
 * Traces of pools under test (G8): where they are written, and that they are as the machines say. A
 * trace of a process that was killed may break off; one of a pool of this process may not.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { problemText } from '../../src/testing/conformance/conformance.ts'
import { type Layer, noteCoverage } from './coverage.ts'
import { TraceWatch } from './trace-watch.ts'

/** The same variable by which any program's pools are recorded. */
const TRACE_VARIABLE = 'TROUPE_TRACE'

export interface Conformance {
  /** Taken again by the machines. */
  readonly steps: number
  /** Where a trace and its machine part. */
  readonly differences: number
}

export function newTraceFolder(): string {
  return mkdtempSync(join(tmpdir(), 'troupe-traces-'))
}

/** From now on every pool of this process and of those it starts is recorded here. */
export function recordPools(trace: string): void {
  process.env[TRACE_VARIABLE] = trace
}

/** Checks every trace in the folder, notes what was covered, and removes the folder. */
export async function checkPools(folder: string, layer: Layer): Promise<void> {
  await written()
  try {
    const { problems, taken } = new TraceWatch(folder).end()
    noteCoverage(layer, taken)
    const wrong = problems.map(problemText)
    if (wrong.length > 0) throw new Error(`not as the machines say:\n${wrong.join('\n')}`)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/**
 * For a run started by hand: from now on its pools are recorded, and what they do is taken again
 * while they do it. The function returned says what came of it, once the pools are no more; what is
 * wrong goes to stderr. The traces go with the run.
 *
 * @param kept A folder of which the traces are to stay.
 */
export function watchPools(layer: Layer, kept?: string): () => Promise<Conformance> {
  const folder = kept ?? newTraceFolder()
  mkdirSync(folder, { recursive: true })
  const remove = () => {
    if (kept === undefined) rmSync(folder, { recursive: true, force: true })
  }
  // The run may be interrupted.
  process.once('exit', remove)
  recordPools(folder)
  const watch = new TraceWatch(folder, { isKept: kept !== undefined })
  return async () => {
    await written()
    const { steps, problems, taken } = watch.end()
    const { differences } = watch
    noteCoverage(layer, taken)
    remove()
    const where = kept === undefined ? '' : `; traces: ${folder}`
    process.stderr.write(`${steps} steps taken again, ${differences} differences${where}\n`)
    for (const problem of problems) process.stderr.write(`DIFFERS ${problemText(problem)}\n`)
    return { steps, differences }
  }
}

/** A trace is written in the turn of the event loop after what it tells. */
export async function written(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve))
  await new Promise((resolve) => setImmediate(resolve))
}
