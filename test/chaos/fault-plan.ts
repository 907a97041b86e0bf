/**
 * Which faults a run does, in which order: drawn from its seed, every kind before any kind again.
 */
import { doubleInterrupt, poolKill } from './host-faults.ts'
import { damagedBase, expiredLogin, fullDisk } from './machine-faults.ts'
import * as processes from './process-faults.ts'
import { type Random, randomOf } from './random.ts'
import type { Stage } from './stage.ts'
import { endless, hangPage, heapOut, hungClose, openAlert } from './task-faults.ts'

type Strike = (stage: Stage, random: Random) => Promise<void>

interface FaultKind {
  readonly strike: Strike
  /** How often it comes in one round. */
  readonly weight: number
}

const KINDS = {
  workerKill: { strike: processes.workerKill, weight: 4 },
  workerStop: { strike: processes.workerStop, weight: 2 },
  browserKill: { strike: processes.browserKill, weight: 3 },
  browserStop: { strike: processes.browserStop, weight: 1 },
  rendererKill: { strike: processes.rendererKill, weight: 2 },
  rendererStop: { strike: processes.rendererStop, weight: 1 },
  zygoteKill: { strike: processes.zygoteKill, weight: 1 },
  zygoteStop: { strike: processes.zygoteStop, weight: 1 },
  heapOut: { strike: heapOut, weight: 1 },
  hangPage: { strike: hangPage, weight: 3 },
  endless: { strike: endless, weight: 2 },
  hungClose: { strike: hungClose, weight: 1 },
  openAlert: { strike: openAlert, weight: 1 },
  fullDisk: { strike: fullDisk, weight: 1 },
  damagedBase: { strike: damagedBase, weight: 1 },
  expiredLogin: { strike: expiredLogin, weight: 1 },
  doubleInterrupt: { strike: doubleInterrupt, weight: 1 },
  poolKill: { strike: poolKill, weight: 1 },
} as const satisfies Record<string, FaultKind>

export type FaultName = keyof typeof KINDS
export const FAULT_NAMES = Object.keys(KINDS) as FaultName[]

export interface PlannedFault {
  readonly number: number
  readonly name: FaultName
  readonly strike: Strike
  /** Its own chance, so that what other faults draw changes nothing about it. */
  readonly random: Random
}

export function planFaults(
  kills: number,
  seed: number,
  names: readonly FaultName[],
): PlannedFault[] {
  const random = randomOf(seed)
  const again = names.flatMap((name) => Array<FaultName>(KINDS[name].weight - 1).fill(name))
  const planned: FaultName[] = []
  while (planned.length < kills) planned.push(...random.shuffled(names), ...random.shuffled(again))
  return planned.slice(0, kills).map((name, index) => ({
    number: index + 1,
    name,
    strike: KINDS[name].strike,
    random: randomOf(Math.floor(random.next() * 2 ** 32)),
  }))
}
