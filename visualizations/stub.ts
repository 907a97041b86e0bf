/**
 * In a crowded picture, arrows that many states send to the same few places hide the rest. They become lines in the box
 * they leave from ("… → killing"); arrows to a neighbour stay.
 */
import type { Chart, ChartArrow, ChartAction, ChartState } from './chart.ts'

/** A picture with more arrows than this is crowded. */
const MAX_ARROWS = 40
/** A state that more arrows than this lead to is a hub. */
const MAX_ARRIVALS = 3

export function stubbed(chart: Chart): Chart {
  if (chart.arrows.length <= MAX_ARROWS) return chart
  const arrivals = new Map<string, number>()
  for (const { target } of chart.arrows) arrivals.set(target, (arrivals.get(target) ?? 0) + 1)
  const isStub = ({ source, target }: ChartArrow) =>
    (arrivals.get(target) ?? 0) > MAX_ARRIVALS && !areNeighbours(chart.root, source, target)
  const stubs = chart.arrows.filter(isStub)
  return {
    root: withStubs(chart.root, stubs, namesOf(chart.root)),
    arrows: chart.arrows.filter((arrow) => !isStub(arrow)),
  }
}

function withStubs(
  state: ChartState,
  stubs: readonly ChartArrow[],
  names: ReadonlyMap<string, string>,
): ChartState {
  const own = stubs.filter(({ source }) => source === state.id)
  return {
    ...state,
    actions: [...state.actions, ...own.flatMap((arrow) => actionsOf(arrow, names))],
    states: state.states.map((child) => withStubs(child, stubs, names)),
  }
}

function actionsOf(arrow: ChartArrow, names: ReadonlyMap<string, string>): ChartAction[] {
  return arrow.triggers.map(({ events, guard, commands }) => ({
    when: events.join(', '),
    guard,
    actions: commands,
    to: names.get(arrow.target) ?? arrow.target,
  }))
}

/** True where the two stand beside each other in whatever holds both, or one holds the other. */
function areNeighbours(root: ChartState, source: string, target: string): boolean {
  const from = root.states.findIndex((child) => holds(child, source))
  const to = root.states.findIndex((child) => holds(child, target))
  const inner = root.states[from]
  if (!inner || to < 0) return true
  return from === to ? areNeighbours(inner, source, target) : Math.abs(from - to) === 1
}

function holds(state: ChartState, id: string): boolean {
  return state.id === id || state.states.some((child) => holds(child, id))
}

function namesOf(state: ChartState): Map<string, string> {
  const below = state.states.flatMap((child) => [...namesOf(child)])
  return new Map([[state.id, state.name], ...below])
}
