/**
 * What a machine's structure makes of transitions, remembered: which states they leave and enter, in
 * which order, and where the machine stands afterwards. XState itself is asked, once for each case, by a
 * copy of the machine whose actions are marks. No guard is judged here and no action carried out.
 */
import {
  type AnyMachineSnapshot,
  type AnyStateMachine,
  type AnyStateNode,
  type AnyTransitionDefinition,
  createMachine,
  initialTransition,
  transition as pureTransition,
} from 'xstate'
import { type Guard, guardOf } from './machine-guards.ts'

export type Transition = AnyTransitionDefinition
export type Action = Transition['actions'][number]
/** A transition, and how to know whether it may be taken; null: always. */
export interface Way {
  readonly transition: Transition
  readonly guard: Guard | null
}
/** Ways to choose from in one state node: the first that is open is taken. */
export interface Choice {
  /** Of the states within. Only when none of them gives one, the node's own are looked at. */
  readonly within: readonly Choice[]
  readonly own: readonly Way[]
}
interface Step {
  /** Of the states left, of the transitions, of the states entered: in this order. */
  readonly actions: readonly Action[]
  readonly next: Standing
}

const TAKE = 'take'
const NOTHING: readonly never[] = []

interface Asked {
  readonly type: typeof TAKE
  readonly take: readonly number[]
}

/** A configuration of a machine: where it stands, and whatever can be known of its ways on from there. */
export class Standing {
  readonly nodes: readonly AnyStateNode[]
  readonly value: AnyMachineSnapshot['value']
  readonly tags: AnyMachineSnapshot['tags']
  readonly history: AnyMachineSnapshot['historyValue']
  /** The eventless ways of each of its innermost states, inside first. */
  readonly eventless: readonly (readonly Way[])[]
  readonly probe: AnyMachineSnapshot
  readonly #table: MachineTable
  readonly #choices = new Map<string, Choice>()
  readonly #steps = new Map<Transition, Step>()
  /** Of several at once, by the first and then by all. */
  readonly #joined = new Map<string, Step>()

  constructor(probe: AnyMachineSnapshot, table: MachineTable) {
    this.#table = table
    this.probe = probe
    this.nodes = probe._nodes.map((node) => table.real(node))
    this.value = probe.value
    this.tags = probe.tags
    this.history = Object.fromEntries(
      Object.entries(probe.historyValue).map(([id, nodes]) => [
        id,
        nodes.map((node) => table.real(node)),
      ]),
    )
    this.eventless = this.nodes
      .filter(({ type }) => type === 'atomic')
      .map((node) => [node, ...ancestorsOf(node)].flatMap(({ always }) => always ?? []))
      .filter((transitions) => transitions.length > 0)
      .map((transitions) => transitions.map((transition) => table.wayOf(transition)))
  }

  /** What there is to choose from when an event of this type comes. */
  choiceFor(eventType: string): Choice {
    let choice = this.#choices.get(eventType)
    if (choice === undefined) {
      choice = this.#choiceIn(this.#table.machine.root, eventType) ?? {
        within: NOTHING,
        own: NOTHING,
      }
      this.#choices.set(eventType, choice)
    }
    return choice
  }

  /** What becomes of it when these are taken at once. */
  stepBy(taken: readonly Transition[]): Step {
    const [first] = taken as [Transition]
    if (taken.length > 1) return this.#stepByAll(taken)
    let step = this.#steps.get(first)
    if (step === undefined) {
      step = this.#table.ask(this, taken)
      this.#steps.set(first, step)
    }
    return step
  }

  #stepByAll(taken: readonly Transition[]): Step {
    const key = this.#table.keyOf(taken)
    let step = this.#joined.get(key)
    if (step === undefined) {
      step = this.#table.ask(this, taken)
      this.#joined.set(key, step)
    }
    return step
  }

  /** Null where nothing answers to the event. */
  #choiceIn(node: AnyStateNode, eventType: string): Choice | null {
    const within = this.nodes
      .filter(({ parent }) => parent === node)
      // As XState does it: in the order of the state's value, which is that of its nodes.
      .flatMap((child) => this.#choiceIn(child, eventType) ?? [])
    const own = candidatesOf(node, eventType).map((each) => this.#table.wayOf(each))
    const [inner] = within
    if (inner === undefined) return own.length === 0 ? null : { within, own }
    // Where nothing branches, the inner ones are simply the first.
    const isStraight = within.length === 1 && inner.within.length === 0
    return isStraight ? { within: NOTHING, own: [...inner.own, ...own] } : { within, own }
  }
}

export class MachineTable {
  readonly machine: AnyStateMachine
  /** The actions of a start, and where it leads. */
  readonly start: Step
  readonly #nodes: readonly AnyStateNode[]
  readonly #transitions: readonly Transition[]
  readonly #numbers: ReadonlyMap<Transition, number>
  readonly #ways = new Map<Transition, Way>()
  readonly #probe: AnyStateMachine
  readonly #standings = new Map<string, Standing>()
  readonly #byNodes = new WeakMap<readonly AnyStateNode[], Standing>()

  constructor(machine: AnyStateMachine) {
    // The one that the nodes belong to: this one may be a copy, with the actions of one pool.
    this.machine = machine.root.machine as AnyStateMachine
    this.#nodes = nodesIn(machine.root)
    this.#transitions = this.#nodes.flatMap((node) => [
      ...[...node.transitions.values()].flat(),
      ...(node.always ?? []),
    ])
    this.#numbers = new Map(this.#transitions.map((transition, number) => [transition, number]))
    this.#probe = this.#makeProbe()
    const [snapshot, marks] = initialTransition(this.#probe)
    this.start = this.#stepTo(snapshot as AnyMachineSnapshot, marks)
  }

  /** Where a snapshot stands, whoever has made it. */
  standingOf({ _nodes: nodes, value, historyValue }: AnyMachineSnapshot): Standing {
    const known = this.#byNodes.get(nodes)
    if (known !== undefined) return known
    const state = { value, historyValue: this.#probeHistory(historyValue), context: {} }
    return this.#standing(this.#probe.resolveState(state as never))
  }

  real({ order }: AnyStateNode): AnyStateNode {
    return this.#nodes[order] as AnyStateNode
  }

  keyOf(taken: readonly Transition[]): string {
    let key = ''
    for (const transition of taken) key += `${this.#numbers.get(transition)} `
    return key
  }

  wayOf(transition: Transition): Way {
    let way = this.#ways.get(transition)
    if (way === undefined) {
      const { guard } = transition
      way = { transition, guard: guard === undefined ? null : guardOf(guard, this.machine) }
      this.#ways.set(transition, way)
    }
    return way
  }

  ask({ probe }: Standing, taken: readonly Transition[]): Step {
    const take = taken.map((transition) => this.#numbers.get(transition) as number)
    const event: Asked = { type: TAKE, take }
    const [snapshot, marks] = pureTransition(this.#probe, probe, event)
    return this.#stepTo(snapshot as AnyMachineSnapshot, marks)
  }

  #stepTo(snapshot: AnyMachineSnapshot, marks: readonly { readonly params?: unknown }[]): Step {
    const actions = marks.flatMap(({ params }) => this.#actionsAt(params as Mark))
    return { actions, next: this.#standing(snapshot) }
  }

  #actionsAt({ of, number }: Mark): readonly Action[] {
    if (of === 'transition') return (this.#transitions[number] as Transition).actions
    return (this.#nodes[number] as AnyStateNode)[of]
  }

  /** One for each configuration. The order of its nodes is kept: it is that of the state's value. */
  #standing(probe: AnyMachineSnapshot): Standing {
    const held = Object.entries(probe.historyValue).map(([id, nodes]) => `${id}:${ordersOf(nodes)}`)
    const key = [ordersOf(probe._nodes), ...held].join(' ')
    let standing = this.#standings.get(key)
    if (standing === undefined) {
      standing = new Standing(probe, this)
      this.#standings.set(key, standing)
      this.#byNodes.set(standing.nodes, standing)
    }
    return standing
  }

  #probeHistory(history: AnyMachineSnapshot['historyValue']): AnyMachineSnapshot['historyValue'] {
    const entries = Object.entries(history).map(([id, nodes]) => [
      id,
      nodes.map((node) => this.#probe.getStateNodeById(node.id)),
    ])
    return Object.fromEntries(entries) as AnyMachineSnapshot['historyValue']
  }

  /** The same states; its transitions are taken by their numbers, its actions are marks. */
  #makeProbe(): AnyStateMachine {
    const config = this.#configOf(this.machine.root)
    return createMachine({ ...config, id: this.machine.id } as never) as AnyStateMachine
  }

  #configOf(node: AnyStateNode): object {
    const { config, type, always, transitions, states } = node
    const all = [...[...transitions.values()].flat(), ...(always ?? [])]
    return {
      ...(config.id === undefined ? {} : { id: config.id }),
      ...(config.initial === undefined ? {} : { initial: config.initial }),
      ...(type === 'history'
        ? { type, history: node.history, ...(config.target && { target: config.target }) }
        : { type, tags: node.tags, entry: markOf('entry', node.order) }),
      ...(type === 'history' ? {} : { exit: markOf('exit', node.order) }),
      ...(all.length === 0 ? {} : { on: { [TAKE]: all.map((each) => this.#askable(each)) } }),
      states: Object.fromEntries(
        Object.entries(states).map(([key, child]) => [key, this.#configOf(child)]),
      ),
    }
  }

  #askable(transition: Transition): object {
    const number = this.#numbers.get(transition) as number
    return {
      ...(transition.target && {
        target: transition.target.map((node: AnyStateNode) => `#${node.id}`),
      }),
      reenter: transition.reenter,
      guard: ({ event }: { event: Asked }) => event.take.includes(number),
      actions: markOf('transition', number),
    }
  }
}

interface Mark {
  readonly of: 'entry' | 'exit' | 'transition'
  readonly number: number
}

function markOf(of: Mark['of'], number: number) {
  return { type: 'mark', params: { of, number } satisfies Mark }
}

function nodesIn(node: AnyStateNode): AnyStateNode[] {
  return [node, ...Object.values(node.states).flatMap(nodesIn)]
}

function ancestorsOf({ parent }: AnyStateNode): AnyStateNode[] {
  return parent === undefined ? [] : [parent, ...ancestorsOf(parent)]
}

function ordersOf(nodes: readonly AnyStateNode[]): string {
  return nodes.map(({ order }) => order).join()
}

/** Those for this very type before those for any. */
function candidatesOf({ transitions }: AnyStateNode, eventType: string): readonly Transition[] {
  const exact = transitions.get(eventType) ?? NOTHING
  const any = eventType === '*' ? NOTHING : (transitions.get('*') ?? NOTHING)
  return [...exact, ...any]
}
