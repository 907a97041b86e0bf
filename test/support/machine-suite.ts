/** The tests every machine passes, over one whole exploration of it. Numbers and mutants are each machine's own. */
import { describe, expect, it, vi } from 'vitest'
import {
  type AnyMachineSnapshot,
  type AnyStateMachine,
  initialTransition,
  transition,
} from 'xstate'
import { noteCoverage } from './coverage.ts'
import { commandsOf, type Exploration, type ExplorePlan, explore } from './explore.ts'
import { sitesOf } from './instrument.ts'
import {
  commandNames,
  eventTypes,
  leakyFinals,
  undescribedStates,
  unnamedParts,
  unusedParts,
} from './machine-shape.ts'

interface MachineCase<World> {
  readonly machine: AnyStateMachine
  /** Every event type of the machine, as its type says. */
  readonly types: readonly string[]
  /** Those among them that it only says to itself. */
  readonly inner?: readonly string[]
  /** The sides it is explored from. Most machines need one. */
  readonly views: Readonly<Record<string, View<World>>>
  /** From wherever it is, the machine can still get to one of these. */
  readonly goals: Readonly<Record<string, (snapshot: AnyMachineSnapshot) => boolean>>
  /** Planted faults, each with what finds it. */
  readonly mutants: readonly Mutant[]
}

interface View<World> {
  readonly plan: ExplorePlan<World>
  /** Pinned: a change of behaviour shows here first. */
  readonly states: number
  readonly edges: number
}

type Finder = 'totality' | 'coverage' | 'counts' | 'violations' | 'endlessness'

interface Mutant {
  readonly fault: string
  readonly plant: (machine: AnyStateMachine) => AnyStateMachine
  readonly foundBy: Finder
}

/** Declares the tests of one machine. */
export function describeMachine<World>(own: MachineCase<World>) {
  const { machine } = own
  const { found, warnings } = exploreViews(own)
  const wholes = [...found.values()]
  for (const { taken } of wholes) noteCoverage('machines', new Map([[machine.id, taken]]))

  describe(`${machine.id} machine`, () => {
    it('handles or ignores every event in every configuration', () => {
      expect(wholes.flatMap((whole) => gapsOf(whole, own))).toEqual([])
      expect([...eventTypes(machine)].toSorted()).toEqual([...own.types].toSorted())
    })
    it('takes every transition it defines', () => {
      expect(untaken(own, wholes)).toEqual([])
    })
    it.each(Object.entries(own.views))('has the pinned states and edges: %s', (name, view) => {
      const { states, edges } = found.get(name) as Exploration
      expect({ states, edges }).toEqual({ states: view.states, edges: view.edges })
    })
    it('never does what must not be', () => {
      expect(wholes.flatMap(({ violations }) => violations)).toEqual([])
      expect(warnings).toEqual([])
    })
    it.each(Object.entries(own.goals))('can always still get to %s', (_, isWanted) => {
      expect(wholes.map((whole) => whole.deadEnd(isWanted))).toEqual(wholes.map(() => null))
    })
    it('issues every command it declares', () => {
      const seen = new Set(wholes.flatMap(({ commands }) => [...commands]))
      const declared = commandNames(machine).filter((name) => name !== 'event.unexpected')
      expect(declared.filter((name) => !seen.has(name))).toEqual([])
    })
    it.each(own.mutants)('a mutant is found: $fault', ({ plant, foundBy }) => {
      expect(faultsOf(plant(machine), own, foundBy)).toContain(foundBy)
    })
    describeShape(own)
  })
}

function exploreViews<World>({ machine, views }: MachineCase<World>) {
  const warn = vi.spyOn(console, 'warn').mockImplementation(() => {})
  const found = new Map(
    Object.entries(views).map(([name, { plan }]) => [name, explore(machine, plan)]),
  )
  const warnings = warn.mock.calls.map(String)
  warn.mockRestore()
  return { found, warnings }
}

function describeShape<World>({ machine, views }: MachineCase<World>) {
  it('names its guards, actions and delays, and uses them all', () => {
    expect(unnamedParts(machine)).toEqual([])
    expect(unusedParts(machine)).toEqual([])
  })
  it('describes every state in one line', () => {
    expect(undescribedStates(machine)).toEqual([])
  })
  it('gives final states no exit', () => {
    expect(leakyFinals(machine)).toEqual([])
  })
  it('sends an unknown event to event.unexpected', () => {
    const input = Object.values(views)[0]?.plan.inputs[0]
    const [start] = initialTransition(machine, input as never)
    const [, actions] = transition(machine, start, { type: 'nobody.knows' } as never)
    expect(commandsOf(actions).map(({ type }) => type)).toEqual(['event.unexpected'])
  })
  it.each(commandNames(machine))('command %s throws until it is provided', (name) => {
    const command = machine.implementations.actions[name] as (_: unknown, params: unknown) => void
    expect(() => command({}, {})).toThrow(`port not provided: ${name}`)
  })
}

/** Which of the tests above a mutant fails. It is explored no further than `wanted` needs. */
function faultsOf<World>(
  mutant: AnyStateMachine,
  own: MachineCase<World>,
  wanted: Finder,
): Finder[] {
  const extent = wanted === 'totality' || wanted === 'violations' ? 'untilFault' : 'whole'
  const faults = new Set<Finder>()
  const seen: Exploration[] = []
  for (const { plan, states, edges } of Object.values(own.views)) {
    const found = exploreMutant(mutant, plan, extent)
    if (found === null) return ['endlessness']
    seen.push(found)
    if (gapsOf(found, own).length > 0) faults.add('totality')
    if (found.violations.length > 0) faults.add('violations')
    if (found.states !== states || found.edges !== edges) faults.add('counts')
    if (faults.has(wanted)) return [...faults]
  }
  if (untaken({ ...own, machine: mutant }, seen).length > 0) faults.add('coverage')
  return [...faults]
}

function exploreMutant<World>(
  mutant: AnyStateMachine,
  plan: ExplorePlan<World>,
  extent: 'whole' | 'untilFault',
): Exploration | null {
  try {
    return explore(mutant, plan, extent)
  } catch {
    return null
  }
}

/** Events nobody handled, and events that were never tried in a configuration. */
function gapsOf<World>(found: Exploration, { types, inner = [] }: MachineCase<World>): string[] {
  const outer = types.filter((type) => !inner.includes(type))
  const untried = [...found.tried].flatMap(([place, tried]) =>
    outer.filter((type) => !tried.has(type)).map((type) => `never tried: ${place} × ${type}`),
  )
  return [...found.unhandled, ...untried]
}

/** The root's fallback is never taken; an event said to itself is ignored only where it may be said. */
function untaken<World>(
  { machine, inner = [] }: MachineCase<World>,
  wholes: readonly Exploration[],
) {
  const taken = new Set(wholes.flatMap((whole) => [...whole.taken]))
  return sitesOf(machine)
    .filter(
      ({ id, key }) => id !== `${machine.id} · * · 0` && !taken.has(id) && !inner.includes(key),
    )
    .map(({ id }) => id)
}
