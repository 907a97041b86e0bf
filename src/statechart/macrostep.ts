/**
 * One event and all that follows from it inside of a machine, by the machine's table: what XState's
 * macrostep does, with guards judged, actions resolved and told to the actor as it does it. What it knows
 * of XState is pinned with its version; a test takes the steps of every machine both ways.
 */
import {
  type AnyActorScope,
  type AnyEventObject,
  type AnyMachineSnapshot,
  type AnyStateMachine,
  type AnyStateNode,
  createMachine,
  initialTransition,
} from 'xstate'
import type { Action, Choice, Standing, Transition, Way } from './machine-table.ts'

type Resolved = ((...args: unknown[]) => unknown) & Builtin
/** What XState's own actions have (`assign`, `raise`, `cancel`, `enqueueActions`). */
interface Builtin {
  readonly type: string
  readonly assignment?: unknown
  resolve(...args: unknown[]): [AnyMachineSnapshot, unknown, readonly Action[] | undefined]
  execute?(...args: unknown[]): void
}

interface Inspected {
  _sendInspectionEvent(event: object): void
}

const NONE: readonly Transition[] = []
/** What snapshots have in common. */
const { matches, hasTag, can, getMeta, toJSON } = initialTransition(createMachine({}))[0]

/** One event and all that follows from it inside of the machine. */
export class Macrostep {
  readonly #machine: AnyStateMachine
  readonly #scope: AnyActorScope
  readonly #queue: AnyEventObject[] = []
  #standing: Standing
  #context: AnyMachineSnapshot['context']
  #snapshot: AnyMachineSnapshot
  /** The context has moved on since the snapshot was made. */
  #isStale = false
  #changes = 0
  readonly #look = () => this.#current()

  constructor(
    machine: AnyStateMachine,
    standing: Standing,
    snapshot: AnyMachineSnapshot,
    scope: AnyActorScope,
  ) {
    this.#machine = machine
    this.#standing = standing
    this.#snapshot = snapshot
    this.#context = snapshot.context
    this.#scope = scope
  }

  select(event: AnyEventObject): readonly Transition[] {
    const found: Transition[] = []
    this.#choose(this.#standing.choiceFor(event.type), event, found)
    return found
  }

  take(taken: readonly Transition[], event: AnyEventObject): void {
    if (taken.length > 0) {
      const { actions, next } = this.#standing.stepBy(taken)
      this.run(actions, event)
      if (next !== this.#standing) {
        this.#standing = next
        this.#changed()
      }
    }
    this.#send(taken, event)
  }

  /** Until nothing follows any more. */
  settle(first: AnyEventObject): AnyMachineSnapshot {
    let event = first
    let isLooking = true
    for (;;) {
      let taken: readonly Transition[] = isLooking ? this.#eventless(event) : NONE
      const before: number = taken.length > 0 ? this.#changes : -1
      if (taken.length === 0) {
        const raised = this.#queue.shift()
        if (raised === undefined) return this.#current()
        event = raised
        taken = this.select(event)
      }
      this.take(taken, event)
      isLooking = this.#changes !== before
    }
  }

  run(actions: readonly Action[], event: AnyEventObject): void {
    for (const action of actions) this.#do(action, event)
  }

  /** True when one was found. */
  #choose({ within, own }: Choice, event: AnyEventObject, found: Transition[]): boolean {
    let isFound = false
    for (const inner of within) isFound = this.#choose(inner, event, found) || isFound
    if (isFound) return true
    const open = this.#firstOpen(own, event)
    if (open === null) return false
    found.push(open)
    return true
  }

  #eventless(event: AnyEventObject): readonly Transition[] {
    const { eventless } = this.#standing
    if (eventless.length === 0) return NONE
    const found = new Set<Transition>()
    for (const ways of eventless) {
      const open = this.#firstOpen(ways, event)
      if (open !== null) found.add(open)
    }
    return found.size === 0 ? NONE : [...found]
  }

  #firstOpen(ways: readonly Way[], event: AnyEventObject): Transition | null {
    const args = { context: this.#context, event }
    for (const { transition, guard } of ways) {
      if (guard === null || guard(args, this.#look)) return transition
    }
    return null
  }

  #paramsOf({ params }: { readonly params?: unknown }, event: AnyEventObject): unknown {
    if (typeof params !== 'function') return params
    return (params as (args: object) => unknown)({ context: this.#context, event })
  }

  #do(action: Action, event: AnyEventObject): void {
    const scope = this.#scope
    const isInline = typeof action === 'function'
    const named = (typeof action === 'string' ? { type: action } : action) as { type: string }
    const resolved = (isInline ? action : this.#machine.implementations.actions[named.type]) as
      | Resolved
      | undefined
    const { self, system } = scope
    const info = { context: this.#context, event, self, system }
    const isPlain = isInline || typeof action === 'string'
    const params = isPlain ? undefined : this.#paramsOf(action as object, event)
    if (resolved === undefined || !('resolve' in resolved)) {
      const type = isInline ? action.name || '(anonymous)' : named.type
      scope.actionExecutor({ type, info, params, exec: resolved } as never)
      return
    }
    if (resolved.type === 'xstate.assign' && this.#isShipped(named.type, resolved)) {
      return this.#assign(resolved, info, params)
    }
    const before = this.#current()
    const extra = { internalQueue: this.#queue, deferredActorIds: undefined }
    const [next, made, more] = resolved.resolve(scope, before, info, params, resolved, extra)
    this.#adopt(before, next)
    if (resolved.execute !== undefined) {
      const exec = resolved.execute.bind(null, scope, made)
      scope.actionExecutor({ type: resolved.type, info, params: made, exec } as never)
    }
    for (const each of more ?? []) this.#do(each, event)
  }

  /** A machine's own updates spawn nothing; an action that does goes through XState's own `assign`. */
  #isShipped(name: string, action: unknown): boolean {
    return this.#machine.root.machine.implementations.actions[name] === action
  }

  #assign({ assignment }: Builtin, info: object, params: unknown): void {
    const update: Record<string, unknown> =
      typeof assignment === 'function'
        ? (assignment(info, params) as Record<string, unknown>)
        : Object.fromEntries(
            Object.entries(assignment as object).map(([key, value]) => [
              key,
              typeof value === 'function' ? value(info, params) : value,
            ]),
          )
    this.#context = { ...this.#context, ...update }
    this.#changed()
  }

  #adopt(before: AnyMachineSnapshot, next: AnyMachineSnapshot): void {
    if (next === before) return
    this.#snapshot = next
    this.#context = next.context
    this.#changes++
  }

  #changed(): void {
    this.#changes++
    this.#isStale = true
  }

  #current(): AnyMachineSnapshot {
    if (!this.#isStale) return this.#snapshot
    this.#isStale = false
    const { children } = this.#snapshot
    this.#snapshot = snapshotOf(this.#machine, this.#standing, this.#context, children)
    return this.#snapshot
  }

  /** For inspection. */
  #send(taken: readonly Transition[], event: AnyEventObject): void {
    const { self, system } = this.#scope as unknown as { self: unknown; system: Inspected }
    const snapshot = this.#current()
    const type = '@xstate.microstep'
    system._sendInspectionEvent({ type, actorRef: self, event, snapshot, _transitions: taken })
  }
}

/** What is nobody's own in it is shared by all. */
export function snapshotOf(
  machine: AnyStateMachine,
  { nodes, value, tags, history }: Standing,
  context: AnyMachineSnapshot['context'],
  children: AnyMachineSnapshot['children'],
): AnyMachineSnapshot {
  return {
    status: 'active',
    output: undefined,
    error: undefined,
    machine,
    context,
    _nodes: nodes as AnyStateNode[],
    value,
    tags,
    children,
    historyValue: history,
    matches,
    hasTag,
    can,
    getMeta,
    toJSON,
  } as unknown as AnyMachineSnapshot
}
