/**
 * The guards of a machine, their names looked up once: each is judged as XState judges it. It knows no
 * state and takes no transition.
 */
import type { AnyMachineSnapshot, AnyStateMachine } from 'xstate'

interface GuardArgs {
  readonly context: unknown
  readonly event: unknown
}
/** `current` gives the snapshot, for the few that look at the state. */
export type Guard = (args: GuardArgs, current: () => AnyMachineSnapshot) => boolean

/** A guard as XState judges it, its name looked up once. @throws Error when nobody has made it */
export function guardOf(guard: unknown, machine: AnyStateMachine): Guard {
  const guards = machine.implementations.guards as Readonly<Record<string, unknown>>
  const named = guard as { readonly type: string; readonly params?: unknown }
  const name = typeof guard === 'string' ? guard : named.type
  const resolved = typeof guard === 'function' ? guard : guards[name]
  if (resolved === undefined) throw new Error(`${machine.id} has no guard ${name}`)
  if (typeof resolved !== 'function') return guardOf(resolved, machine)
  if ('check' in resolved) {
    const { check } = resolved as { check: (...args: unknown[]) => boolean }
    return (args, current) => check(current(), args, resolved)
  }
  const judge = resolved as (args: GuardArgs, params?: unknown) => boolean
  if (typeof guard !== 'object' || named.params === undefined) return (args) => judge(args)
  const { params } = named
  const made =
    typeof params === 'function' ? (params as (args: GuardArgs) => unknown) : () => params
  return (args) => judge(args, made(args))
}
