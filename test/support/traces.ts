/**
 * Traces of pools under test (G8): where they are written, and that they are as the machines say. A
 * trace of a process that was killed may break off; one of a pool of this process may not.
 */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { checkConformance, problemText } from '../../src/testing/conformance.ts'
import { type Layer, noteCoverage } from './coverage.ts'

/** The same variable by which any program's pools are recorded. */
const TRACE_VARIABLE = 'TROUPE_TRACE'

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
    const wrong = readdirSync(folder).flatMap((name) => {
      // What a worker's session did is in a file of its own; a worker may be killed.
      const isOwn = name.startsWith(`pool-${process.pid}-`) && !name.includes('.worker-')
      return wrongIn(join(folder, name), layer, !isOwn).map((text) => `${name} ${text}`)
    })
    if (wrong.length > 0) throw new Error(`not as the machines say:\n${wrong.join('\n')}`)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** A trace is written in the turn of the event loop after what it tells. */
export async function written(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve))
  await new Promise((resolve) => setImmediate(resolve))
}

function wrongIn(path: string, layer: Layer, mayBreakOff: boolean): string[] {
  const { problems, taken } = checkConformance(path)
  noteCoverage(layer, taken)
  return problems.filter(({ kind }) => !(mayBreakOff && kind === 'truncated')).map(problemText)
}
