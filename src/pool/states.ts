/** What a value of the pool machine means to those outside it. It holds nothing. */
import type { StateValue, ActorRefFrom } from 'xstate'
import type { SlotId } from '../../machines/protocol.ts'

import type { PoolStatus } from '../api/status.ts'
import { poolMachine } from '../../machines/index.ts'

export type PoolSnapshot = ReturnType<PoolMachineActor['getSnapshot']>
export type PoolValue = PoolSnapshot['value']

export function stateName(value: PoolValue): PoolStatus['state'] {
  return (typeof value === 'string' ? value : Object.keys(value)[0]) as PoolStatus['state']
}

/** It takes tasks, or will take them again once it has drained. */
export function isUp(value: PoolValue): boolean {
  // Asked twice for every task: no list of names is made for it. Of the others only one has states of
  // its own.
  return typeof value === 'object' && !('error' in value)
}

/** It is on its way to its end: whoever asked for that waits. */
export function isEnding(value: PoolValue): boolean {
  return (
    value === 'stopping' ||
    (typeof value === 'object' && 'error' in value && value.error === 'leaving')
  )
}

/** The slots that have a worker or will have one again; null while that is not decided. */
export function lastingSlots(snapshot: PoolSnapshot | undefined): SlotId[] | null {
  if (snapshot === undefined || !isUp(snapshot.value)) return null
  const { serving, failed } = snapshot.context
  if (serving.length === 0) return null
  return serving.filter((slot) => !failed.includes(slot))
}

/** Where within its states, as `starting.launching.authenticating`. */
export function pathOf(value: StateValue): string {
  if (typeof value === 'string') return value
  return Object.entries(value)
    .map(([name, inner]) => `${name}.${pathOf(inner ?? '')}`)
    .join()
}

export function isStarting(value: PoolValue): boolean {
  return stateName(value) === 'starting'
}

export function isDraining({ value }: { value: PoolValue }): boolean {
  if (typeof value !== 'object') return false
  return 'running' in value
    ? value.running === 'draining'
    : 'paused' in value && value.paused === 'draining'
}

export type PoolLogic = typeof poolMachine

export type PoolMachineActor = ActorRefFrom<PoolLogic>
