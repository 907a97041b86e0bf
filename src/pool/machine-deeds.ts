/**
 * A machine with its commands given their deeds, as `machine.provide` does it, without building the
 * machine anew: that takes half a millisecond each time, and a pool needs one for every worker. The
 * one file that leans on how XState is made; the version is pinned, and a test compares the two.
 */
import type { AnyStateMachine } from 'xstate'

/** Bound to their machine when it is made. */
const BOUND = [
  'transition',
  'getInitialSnapshot',
  'getPersistedSnapshot',
  'restoreSnapshot',
  'start',
] as const

type Deeds<M extends AnyStateMachine> = NonNullable<Parameters<M['provide']>[0]['actions']>

/** The machine, with `deeds` for its actions of these names. The one given stays as it is. */
export function withDeeds<M extends AnyStateMachine>(machine: M, deeds: Deeds<M>): M {
  const made = Object.getPrototypeOf(machine) as M
  const copy = Object.assign(Object.create(made) as M, machine)
  for (const name of BOUND) {
    const method = made[name] as (...args: unknown[]) => unknown
    Object.defineProperty(copy, name, { value: method.bind(copy) })
  }
  const { implementations } = machine
  const actions = { ...implementations.actions, ...deeds }
  Object.defineProperty(copy, 'implementations', { value: { ...implementations, actions } })
  return copy
}
