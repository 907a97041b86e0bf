/**
 * A machine with its commands given their deeds, as `machine.provide` does it, without building the
 * machine anew: that takes half a millisecond each time, and a pool needs one for every worker. The
 * one file that leans on how XState is made; the version is pinned, and a test compares the two.
 *
 * Here stands the one guard over all deeds: XState ends an actor whose action throws, so none does.
 * What a deed throws, at once or later, becomes an event.
 */
import { type AnyActorRef, type AnyStateMachine, assign } from 'xstate'
import { type Around, type DeedFailure, portFailed } from './port-failure.ts'

/** Bound to their machine when it is made. */
const BOUND = [
  'transition',
  'getInitialSnapshot',
  'getPersistedSnapshot',
  'restoreSnapshot',
  'start',
] as const

type Deeds<M extends AnyStateMachine> = NonNullable<Parameters<M['provide']>[0]['actions']>
interface DeedArgs {
  readonly self: AnyActorRef
}
type Deed = (args: DeedArgs, params: unknown) => unknown
/** A deed that changes the machine's context, as to spawn does. */
type Update = Deed & { readonly type: 'xstate.assign'; readonly assignment: Deed }

export interface DeedGuard {
  /** Told of a deed that threw. */
  failed(self: AnyActorRef, failure: DeedFailure): void
  /** How deeds are done; default: at once. */
  readonly around?: Around | undefined
}

/** The machine that gave the command hears of it, after the step it is in. */
export const tellSelf: DeedGuard = { failed: (self, failure) => self.send(portFailed(failure)) }

/** The machine, with `deeds` for its actions of these names. The one given stays as it is. */
export function withDeeds<M extends AnyStateMachine>(
  machine: M,
  deeds: Deeds<M>,
  guard: DeedGuard = tellSelf,
): M {
  const made = Object.getPrototypeOf(machine) as M
  const copy = Object.assign(Object.create(made) as M, machine)
  for (const name of BOUND) {
    const method = made[name] as (...args: unknown[]) => unknown
    Object.defineProperty(copy, name, { value: method.bind(copy) })
  }
  const { implementations } = machine
  const guarded = Object.entries(deeds).map(([port, deed]) => {
    const how = { actor: machine.id, port, guard }
    return [port, isUpdate(deed) ? guardedUpdate(deed, how) : guardedDeed(deed as Deed, how)]
  })
  const actions = { ...implementations.actions, ...Object.fromEntries(guarded) }
  Object.defineProperty(copy, 'implementations', { value: { ...implementations, actions } })
  return copy
}

interface How {
  readonly actor: string
  readonly port: string
  readonly guard: DeedGuard
}

function guardedDeed(deed: Deed, { actor, port, guard }: How): Deed {
  const { around } = guard
  return (args, params) => {
    const fail = (error: unknown) =>
      guard.failed(args.self, { port: `${actor}: ${port}`, error, params })
    try {
      const done =
        around === undefined ? deed(args, params) : around(actor, port, () => deed(args, params))
      if (done instanceof Promise) done.catch(fail)
    } catch (error) {
      fail(error)
    }
  }
}

function guardedUpdate({ assignment }: Update, { actor, port, guard }: How): unknown {
  const { around } = guard
  return assign((args, params: unknown) => {
    const deeds = args as unknown as DeedArgs
    try {
      const update = () => assignment(deeds, params)
      return (around === undefined ? update() : around(actor, port, update)) as object
    } catch (error) {
      guard.failed(deeds.self, { port: `${actor}: ${port}`, error, params })
      return {}
    }
  })
}

function isUpdate(deed: unknown): deed is Update {
  return typeof deed === 'function' && 'assignment' in deed
}
