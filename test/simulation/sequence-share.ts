/**
 * The sequences that `npm run simulate` lives after its fleet: a share of its seeds, from the same first
 * one on. They take nothing from the fleet's figures; what fails in one is a violation like any other.
 */
import type { FleetReport } from './fleet-report.ts'
import { failureText, MAX_SEQUENCES, runSequences, type SequenceFailure } from './sequence-fleet.ts'

/** One sequence for so many seeds, and at least so many. */
const SEEDS_PER_SEQUENCE = 20
const LEAST_SEQUENCES = 10
/** Of a fleet's own share; more if they are asked for. */
const MOST_SEQUENCES = 10_000

export interface SequenceShare {
  readonly run: number
  readonly commands: number
  readonly failed: number
}

type SharedReport = Omit<FleetReport, 'violations'> & {
  readonly violations: readonly (FleetReport['violations'][number] | SequenceFailure)[]
  readonly sequences: SequenceShare
}

/** @throws TypeError for what is no number of sequences */
export function parseSequences(text: string | undefined): number | null {
  if (text === undefined) return null
  const count = text.trim() === '' ? Number.NaN : Number(text)
  if (Number.isInteger(count) && count >= 0 && count <= MAX_SEQUENCES) return count
  throw new TypeError(`sequences: must be a whole number from 0 to ${MAX_SEQUENCES}, not ${text}`)
}

/** `count`: null for a share of the seeds that were lived. */
export async function withSequences(
  report: FleetReport,
  firstSeed: number,
  count: number | null,
  send: (failure: SequenceFailure) => void = printError,
): Promise<SharedReport> {
  const share = Math.floor(report.seeds / SEEDS_PER_SEQUENCE)
  const { run, commands, failed, failures } = await runSequences({
    firstSeed,
    count: count ?? Math.min(MOST_SEQUENCES, Math.max(LEAST_SEQUENCES, share)),
    onFailure: send,
  })
  const violations = [...report.violations, ...failures]
  return { ...report, violations, sequences: { run, commands, failed } }
}

function printError(failure: SequenceFailure): void {
  process.stderr.write(`${failureText(failure)}\n\n`)
}
