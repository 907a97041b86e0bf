/**
 * A machine that takes its steps by a table (`machine-table.ts`) instead of working out its structure
 * anew for each: the same guards, actions, updates, raised events and delays, in the same order, several
 * times as fast. For simulations, which take millions of steps; that XState does the same is tested, and
 * looked at again with every fleet. What a machine must not have for it is left to XState.
 */
import {
  type AnyActorScope,
  type AnyEventObject,
  type AnyMachineSnapshot,
  type AnyStateMachine,
  type AnyStateNode,
} from 'xstate'
import { MachineTable } from './machine-table.ts'
import { Macrostep, snapshotOf } from './macrostep.ts'

const tables = new WeakMap<AnyStateNode, MachineTable | null>()

/** The machine, with steps by a table. The one given stays as it is. */
export function tabled<M extends AnyStateMachine>(machine: M): M {
  let table = tables.get(machine.root)
  if (table === undefined) {
    table = isTablable(machine.root) ? new MachineTable(machine) : null
    tables.set(machine.root, table)
  }
  if (table === null) return machine
  const own = table
  // The machine itself as prototype would be kept alive by V8 long after its pool.
  const copy = Object.assign(Object.create(Object.getPrototypeOf(machine)) as M, machine)
  const transition = (
    snapshot: AnyMachineSnapshot,
    event: AnyEventObject,
    scope: AnyActorScope,
  ): AnyMachineSnapshot => {
    // The end of an actor, its own or a child's, is XState's alone.
    if (snapshot.status !== 'active' || isOfActors(event.type)) {
      return machine.transition(snapshot as never, event as never, scope as never)
    }
    const standing = own.standingOf(snapshot)
    const step = new Macrostep(copy, standing, snapshot, scope)
    step.take(step.select(event), event)
    return step.settle(event)
  }
  const getInitialSnapshot = (scope: AnyActorScope, input: unknown): AnyMachineSnapshot => {
    const event = { type: 'xstate.init', input }
    const first = snapshotOf(copy, own.start.next, {}, {})
    try {
      const context = contextOf(copy, scope, input)
      const step = new Macrostep(copy, own.start.next, { ...first, context }, scope)
      step.run(own.start.actions, event)
      return step.settle(event)
    } catch (error) {
      return { ...first, status: 'error', error } as never
    }
  }
  Object.defineProperty(copy, 'transition', { value: transition })
  Object.defineProperty(copy, 'getInitialSnapshot', { value: getInitialSnapshot })
  return copy
}

function contextOf({ config }: AnyStateMachine, { self }: AnyActorScope, input: unknown): object {
  const { context } = config as { context?: unknown }
  if (typeof context !== 'function') return (context ?? {}) as object
  return { ...(context({ input, self }) as object) }
}

function isOfActors(type: string): boolean {
  return type.startsWith('xstate.') && /^xstate\.(stop|error|done)/.test(type)
}

/** No ends of its own, nothing invoked, and events by their whole names. */
function isTablable(node: AnyStateNode): boolean {
  return (
    node.type !== 'final' &&
    node.invoke.length === 0 &&
    [...node.transitions.keys()].every((type) => type === '*' || !type.includes('*')) &&
    Object.values(node.states).every(isTablable)
  )
}
