/**
 * Exhaustive exploration of one machine: breadth-first over the pure `transition()`, from every start it may have and
 * with every event it may meet. Commands come back as data and are never run; what they would have done to the world
 * (processes that live, leave that was asked for) is the plan's to say. Bounded by `maxStates`.
 */
import {
  type AnyMachineSnapshot,
  type AnyStateMachine,
  type EventObject,
  getNextTransitions,
  initialTransition,
  transition,
} from 'xstate'
import { isIgnore, MARK, marked, sitesOf, type TransitionId } from './instrument.ts'

export interface Command {
  readonly type: string
  readonly params: unknown
}

/** A machine and what is around it. */
export interface Situation<World> {
  readonly snapshot: AnyMachineSnapshot
  readonly world: World
}

export interface Step<World> {
  readonly from: Situation<World>
  /** Null for the step into a start. */
  readonly event: EventObject | null
  readonly to: AnyMachineSnapshot
  readonly taken: readonly TransitionId[]
  readonly commands: readonly Command[]
}

export interface ExplorePlan<World = null> {
  /** Inputs to start from; each is a start of its own. */
  readonly inputs: readonly unknown[]
  readonly world: World
  /** Every event to try. Timers that run are added by the explorer. */
  readonly events: (situation: Situation<World>) => readonly EventObject[]
  /** False for an event that can't be: it must be handled all the same, but where it leads is not followed. */
  readonly isReal?: (situation: Situation<World>, event: EventObject) => boolean
  /** What a step does to the world. It throws at what must never be. */
  readonly after?: (step: Step<World>) => World
  /** Must hold in every situation; throws where it does not. */
  readonly check?: (situation: Situation<World>) => void
  /** Past this a state is kept but not followed, to bound what only counts up. Default: all are followed. */
  readonly isWithin?: (situation: Situation<World>) => boolean
  /** What of the context and the world tells states apart. Default: all of it. */
  readonly canonical?: (situation: Situation<World>) => unknown
  /** More states than this is an error of the plan. */
  readonly maxStates: number
}

export interface Exploration {
  readonly states: number
  /** Distinct (state, event type, state) that did more than ignore the event. */
  readonly edges: number
  /** Ids of the transitions taken at least once, ignores included. */
  readonly taken: ReadonlySet<TransitionId>
  /** Types of the commands seen. */
  readonly commands: ReadonlySet<string>
  /** Every configuration seen, as JSON, with the event types tried in it. */
  readonly tried: ReadonlyMap<string, ReadonlySet<string>>
  /** Shortest ways to an event that nobody handled: one for each configuration and event type. */
  readonly unhandled: readonly string[]
  /** What `after` and `check` threw, each once, with the shortest way to it. */
  readonly violations: readonly string[]
  /** The shortest way to a state from which none of the wanted states can be reached any more, or null. */
  deadEnd(isWanted: (snapshot: AnyMachineSnapshot) => boolean): string | null
}

interface Found<World> extends Situation<World> {
  readonly from: string | null
  readonly event: EventObject | null
  readonly before: Set<string>
}

/** Of a long way, only the end is told. */
const MAX_STEPS_SHOWN = 40
const AFTER = 'xstate.after.'

/** Explores a machine whole, or until the first fault of any kind where that is all one wants to know. */
export function explore<World>(
  machine: AnyStateMachine,
  plan: ExplorePlan<World>,
  extent: 'whole' | 'untilFault' = 'whole',
): Exploration {
  const search = new Search(machine, plan)
  search.run(extent === 'untilFault')
  return search
}

class Search<World> implements Exploration {
  readonly taken = new Set<TransitionId>()
  readonly commands = new Set<string>()
  readonly tried = new Map<string, Set<string>>()
  readonly #probe: AnyStateMachine
  readonly #plan: ExplorePlan<World>
  readonly #quiet: ReadonlySet<TransitionId>
  readonly #fallback: TransitionId
  readonly #found = new Map<string, Found<World>>()
  readonly #queue: string[] = []
  readonly #edges = new Set<string>()
  readonly #unhandled = new Map<string, string>()
  readonly #violations = new Map<string, string>()

  constructor(machine: AnyStateMachine, plan: ExplorePlan<World>) {
    this.#probe = marked(machine)
    this.#plan = plan
    const ignores = sitesOf(machine).filter(isIgnore)
    this.#quiet = new Set(ignores.map((site) => site.id))
    this.#fallback = `${machine.id} · * · 0`
  }

  get states(): number {
    return this.#found.size
  }
  get edges(): number {
    return this.#edges.size
  }
  get unhandled(): string[] {
    return [...this.#unhandled.values()]
  }
  get violations(): string[] {
    return [...this.#violations.values()]
  }

  run(isUntilFault: boolean) {
    for (const input of this.#plan.inputs) {
      const [snapshot, actions] = initialTransition(this.#probe, input as never)
      const start = { snapshot: snapshot as AnyMachineSnapshot, world: this.#plan.world }
      this.#arrive({ ...start, from: null, event: null }, actions as readonly Command[])
    }
    for (const key of this.#queue) {
      const situation = this.#found.get(key) as Found<World>
      if (situation.snapshot.status !== 'active') continue
      if (this.#plan.isWithin?.(situation) === false) continue
      for (const event of eventsAt(situation, this.#plan)) this.#try(key, situation, event)
      if (isUntilFault && (this.#unhandled.size > 0 || this.#violations.size > 0)) return
    }
  }

  deadEnd(isWanted: (snapshot: AnyMachineSnapshot) => boolean): string | null {
    const reaching = new Set<string>()
    const queue = [...this.#found].filter(([, { snapshot }]) => isWanted(snapshot))
    const work = queue.map(([key]) => key)
    for (const key of work) {
      if (reaching.has(key)) continue
      reaching.add(key)
      for (const before of this.#found.get(key)?.before ?? []) work.push(before)
    }
    for (const [key, situation] of this.#found) {
      const isFollowed = this.#plan.isWithin?.(situation) !== false
      if (isFollowed && !reaching.has(key)) return this.#wayTo(key)
    }
    return null
  }

  #try(key: string, situation: Found<World>, event: EventObject) {
    const place = JSON.stringify(situation.snapshot.value)
    this.tried.set(place, (this.tried.get(place) ?? new Set()).add(event.type))
    const [next, actions] = transition(this.#probe, situation.snapshot as never, event as never)
    const snapshot = next as AnyMachineSnapshot
    if (snapshot.status === 'error') {
      throw new Error(`${String(snapshot.error)}\n${this.#wayTo(key)}\n  ${JSON.stringify(event)}`)
    }
    const isReal = this.#plan.isReal?.(situation, event) !== false
    const marks = isReal
      ? this.#arrive(
          { ...situation, snapshot, from: key, event, before: situation },
          actions as readonly Command[],
        )
      : this.#note(actions as readonly Command[])
    if (marks.length === 0 || marks.includes(this.#fallback)) {
      const pair = `${place} × ${event.type}`
      if (!this.#unhandled.has(pair)) this.#unhandled.set(pair, `${pair}\n${this.#wayTo(key)}`)
    }
  }

  /** Notes what a step did and keeps where it led. Gives back the transitions it took. */
  #arrive(
    at: Situation<World> & {
      from: string | null
      event: EventObject | null
      before?: Situation<World>
    },
    actions: readonly Command[],
  ): readonly TransitionId[] {
    const taken = this.#note(actions)
    const commands = commandsOf(actions)
    const { snapshot, event, from } = at
    const step = { from: at.before ?? at, event, to: snapshot, taken, commands }
    const world = this.#report(from, event, () => this.#plan.after?.(step)) ?? at.world
    const key = keyOf({ snapshot, world }, this.#plan)
    const known = this.#found.get(key)
    if (from !== null) known?.before.add(from)
    if (!known) {
      const before = new Set(from === null ? [] : [from])
      this.#found.set(key, { snapshot, world, from, event, before })
      this.#queue.push(key)
      this.#report(key, null, () => this.#plan.check?.({ snapshot, world }))
    }
    if (this.#found.size > this.#plan.maxStates) {
      throw new Error(`more than ${this.#plan.maxStates} states\n${this.#wayTo(key)}`)
    }
    const isLoud = taken.some((id) => !this.#quiet.has(id))
    if (from !== null && event && isLoud) this.#edges.add(`${from}\n${event.type}\n${key}`)
    return taken
  }

  #note(actions: readonly Command[]): readonly TransitionId[] {
    const taken = marksOf(actions)
    for (const id of taken) this.taken.add(id)
    for (const { type } of commandsOf(actions)) this.commands.add(type)
    return taken
  }

  #report<T>(key: string | null, event: EventObject | null, judge: () => T): T | undefined {
    try {
      return judge()
    } catch (violation) {
      const { message } = violation as Error
      const way = `${key === null ? '' : this.#wayTo(key)}\n  ${JSON.stringify(event)}`
      if (!this.#violations.has(message)) this.#violations.set(message, `${message}\n${way}`)
      return undefined
    }
  }

  #wayTo(key: string): string {
    const lines: string[] = []
    for (let at: string | null = key; at !== null; ) {
      const step: Found<World> | undefined = this.#found.get(at)
      if (!step) break
      lines.unshift(`  ${JSON.stringify(step.event)} → ${JSON.stringify(step.snapshot.value)}`)
      at = step.from
    }
    return lines.slice(-MAX_STEPS_SHOWN).join('\n')
  }
}

/** The events of the plan and the timers that run. */
function eventsAt<World>(situation: Situation<World>, plan: ExplorePlan<World>): EventObject[] {
  const timers = getNextTransitions(situation.snapshot)
    .map(({ eventType }) => eventType as string)
    .filter((type) => type.startsWith(AFTER))
  return [...plan.events(situation), ...[...new Set(timers)].map((type) => ({ type }))]
}

/** The commands among a step's actions: named `subject.verb`. */
export function commandsOf(actions: readonly Command[]): Command[] {
  return actions
    .filter(({ type }) => type.includes('.') && !type.startsWith('xstate.'))
    .map(({ type, params }) => ({ type, params }))
}

function marksOf(actions: readonly Command[]): TransitionId[] {
  return actions
    .filter(({ type }) => type === MARK)
    .map(({ params }) => (params as { id: TransitionId }).id)
}

function keyOf<World>(situation: Situation<World>, plan: ExplorePlan<World>): string {
  const { snapshot, world } = situation
  const facts = plan.canonical ? plan.canonical(situation) : [snapshot.context, world]
  const history = Object.entries(snapshot.historyValue).map(([id, nodes]) => [
    id,
    nodes.map((node) => node.id),
  ])
  return JSON.stringify([snapshot.status, snapshot.value, facts, history])
}
