/** What a chaos run ends with, and what of it is clean. */
import type { OracleSummary } from './client-oracle.ts'
import type { PlannedFault } from './fault-plan.ts'

export interface ChaosReport extends OracleSummary {
  readonly seed: number
  readonly workers: number
  readonly kills: number
  readonly faultsByKind: Readonly<Record<string, number>>
  readonly orphanProcesses: number
  readonly orphanMsMax: number
  readonly profilesLeft: number
  readonly recoveryMsP50: number | null
  readonly recoveryMsMax: number | null
  readonly browserMsP50: number | null
  readonly browserMsMax: number | null
  readonly hungPages: number
  readonly hungPagesKept: number
  /** Every slot serves again. */
  readonly capacityBack: boolean
  /** Faults that did not heal, and why. */
  readonly unhealed: readonly string[]
  readonly unexpectedEvents: readonly string[]
  /** Kinds of faults that could not be done here, and why. */
  readonly skipped: readonly string[]
  /** What is left, when something is. */
  readonly left: readonly string[]
  readonly wallMs: number
}

/**
 * A task that was alone in its worker twice when that was killed is not tried a third time: the pool
 * cannot know that it was the chaos.
 */
const BY_THE_RULES = /^WORKER_LOST quarantined/

/** True when nothing is there that must not be. */
export function isClean(report: ChaosReport): boolean {
  const { lost, doubled, wrong, orphanProcesses, profilesLeft, submitted, settledOnce } = report
  const failed = Object.keys(report.failures).filter((why) => !BY_THE_RULES.test(why)).length
  const nothing = lost + doubled + wrong + failed + orphanProcesses + profilesLeft
  const complaints = report.unhealed.length + report.unexpectedEvents.length
  return nothing + complaints === 0 && report.capacityBack && submitted === settledOnce
}

export function countByName(plan: readonly PlannedFault[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { name } of plan) counts[name] = (counts[name] ?? 0) + 1
  return counts
}

export function median(values: readonly number[]): number | null {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted[Math.floor(sorted.length / 2)]
  return middle === undefined ? null : Math.round(middle)
}

export function largest(values: readonly number[]): number | null {
  return values.length === 0 ? null : Math.round(Math.max(...values))
}
