/** Transitions that run the same way become one arrow, with as few words on it as they need. */
import type { ChartArrow, ChartTransition, ChartTrigger } from './chart.ts'

export function arrowsOf(transitions: readonly ChartTransition[]): ChartArrow[] {
  const ways = new Map<string, ChartTransition[]>()
  for (const transition of transitions) {
    const way = `${transition.source}→${transition.target}`
    ways.set(way, [...(ways.get(way) ?? []), transition])
  }
  return [...ways].flatMap(([id, [first, ...others]]) => {
    if (!first) return []
    const triggers = joinGuards(joinEvents([first, ...others]))
    return [{ id, source: first.source, target: first.target, triggers }]
  })
}

/** Several events with the same guard and commands. */
function joinEvents(transitions: readonly ChartTransition[]): ChartTrigger[] {
  const joined = new Map<string, ChartTrigger>()
  for (const { event, guard, commands } of transitions) {
    const key = `${guard}/${commands.join()}`
    const events = joined.get(key)?.events ?? []
    joined.set(key, { events: [...new Set([...events, event])], guard, commands })
  }
  return [...joined.values()]
}

/** The same events by one guard or by another, with the same commands. */
function joinGuards(triggers: readonly ChartTrigger[]): ChartTrigger[] {
  const joined = new Map<string, ChartTrigger>()
  for (const trigger of triggers) {
    const key = `${trigger.events.join()}/${trigger.commands.join()}/${trigger.guard === ''}`
    const known = joined.get(key)
    joined.set(key, known ? { ...known, guard: `${known.guard} or ${trigger.guard}` } : trigger)
  }
  return [...joined.values()]
}
