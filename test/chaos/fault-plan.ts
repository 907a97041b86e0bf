/**
 * Which faults a run does, in which order: drawn from its seed, every kind before any kind again.
 */
import { doubleInterrupt, poolKill } from './host-faults.ts'
import { damagedBase, expiredLogin, fullDisk } from './machine-faults.ts'
import * as processes from './process-faults.ts'
import { type Random, randomOf } from './random.ts'
import type { Scenario } from './scenario.ts'
import { endless, hangPage, heapOut, hungClose, openAlert } from './task-faults.ts'

type Injection = (scenario: Scenario, random: Random) => Promise<void>

interface FaultKind {
  readonly inject: Injection
  /** How often it comes in one round. */
  readonly weight: number
}

const KINDS = {
  workerKill: { inject: processes.workerKill, weight: 4 },
  workerStop: { inject: processes.workerStop, weight: 2 },
  browserKill: { inject: processes.browserKill, weight: 3 },
  browserStop: { inject: processes.browserStop, weight: 1 },
  rendererKill: { inject: processes.rendererKill, weight: 2 },
  rendererStop: { inject: processes.rendererStop, weight: 1 },
  zygoteKill: { inject: processes.zygoteKill, weight: 1 },
  zygoteStop: { inject: processes.zygoteStop, weight: 1 },
  heapOut: { inject: heapOut, weight: 1 },
  hangPage: { inject: hangPage, weight: 3 },
  endless: { inject: endless, weight: 2 },
  hungClose: { inject: hungClose, weight: 1 },
  openAlert: { inject: openAlert, weight: 1 },
  fullDisk: { inject: fullDisk, weight: 1 },
  damagedBase: { inject: damagedBase, weight: 1 },
  expiredLogin: { inject: expiredLogin, weight: 1 },
  doubleInterrupt: { inject: doubleInterrupt, weight: 1 },
  poolKill: { inject: poolKill, weight: 1 },
} as const satisfies Record<string, FaultKind>

export type FaultName = keyof typeof KINDS
export const FAULT_NAMES = Object.keys(KINDS) as FaultName[]

export interface PlannedFault {
  readonly number: number
  readonly name: FaultName
  readonly inject: Injection
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
    inject: KINDS[name].inject,
    random: randomOf(Math.floor(random.next() * 2 ** 32)),
  }))
}
