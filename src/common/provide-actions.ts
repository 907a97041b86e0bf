/**
 * A machine with its commands given their actions, as `machine.provide` does it, without building the
 * machine anew: that takes half a millisecond each time, and a pool needs one for every worker. The
 * one file that leans on how XState is made; the version is pinned, and a test compares the two.
 *
 * Here stands the one guard over all actions: XState ends an actor whose action throws, so none does.
 * What an action throws, at once or later, becomes an event.
 */
import { type AnyActorRef, type AnyStateMachine, assign } from 'xstate'
import { type Around, type ActionFailure, portFailed } from './port-failure.ts'

/** Bound to their machine when it is made. */
const BOUND = [
  'transition',
  'getInitialSnapshot',
  'getPersistedSnapshot',
  'restoreSnapshot',
  'start',
] as const

type Actions<M extends AnyStateMachine> = NonNullable<Parameters<M['provide']>[0]['actions']>
interface ActionArgs {
  readonly self: AnyActorRef
}
type Action = (args: ActionArgs, params: unknown) => unknown
/** An action that changes the machine's context, as to spawn does. */
type Update = Action & { readonly type: 'xstate.assign'; readonly assignment: Action }

export interface ActionGuard {
  /** Told of an action that threw. */
  failed(self: AnyActorRef, failure: ActionFailure): void
  /** How actions are done; default: at once. */
  readonly around?: Around | undefined
}

/** The machine that gave the command hears of it, after the step it is in. */
export const sendToSelf: ActionGuard = { failed: (self, failure) => self.send(portFailed(failure)) }

/** The machine, with `actions` for its actions of these names. The one given stays as it is. */
export function provideActions<M extends AnyStateMachine>(
  machine: M,
  provided: Actions<M>,
  guard: ActionGuard = sendToSelf,
): M {
  const made = Object.getPrototypeOf(machine) as M
  const copy = Object.assign(Object.create(made) as M, machine)
  for (const name of BOUND) {
    const method = made[name] as (...args: unknown[]) => unknown
    Object.defineProperty(copy, name, { value: method.bind(copy) })
  }
  const { implementations } = machine
  const guarded = Object.entries(provided).map(([port, action]) => {
    const how = { actor: machine.id, port, guard }
    return [
      port,
      isUpdate(action) ? guardedUpdate(action, how) : guardedAction(action as Action, how),
    ]
  })
  const actions = { ...implementations.actions, ...Object.fromEntries(guarded) }
  Object.defineProperty(copy, 'implementations', { value: { ...implementations, actions } })
  return copy
}

interface How {
  readonly actor: string
  readonly port: string
  readonly guard: ActionGuard
}

function guardedAction(action: Action, { actor, port, guard }: How): Action {
  const { around } = guard
  return (args, params) => {
    const fail = (error: unknown) =>
      guard.failed(args.self, { port: `${actor}: ${port}`, error, params })
    try {
      const done =
        around === undefined
          ? action(args, params)
          : around(actor, port, () => action(args, params))
      if (done instanceof Promise) done.catch(fail)
    } catch (error) {
      fail(error)
    }
  }
}

function guardedUpdate({ assignment }: Update, { actor, port, guard }: How): unknown {
  const { around } = guard
  return assign((args, params: unknown) => {
    const provided = args as unknown as ActionArgs
    try {
      const update = () => assignment(provided, params)
      return (around === undefined ? update() : around(actor, port, update)) as object
    } catch (error) {
      guard.failed(provided.self, { port: `${actor}: ${port}`, error, params })
      return {}
    }
  })
}

function isUpdate(action: unknown): action is Update {
  return typeof action === 'function' && 'assignment' in action
}
