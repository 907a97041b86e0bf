/**
 * Mutants: a machine rebuilt from its own config with one fault planted. Uses the public API of XState only.
 */
import type { AnyStateMachine } from 'xstate'
import {
  rewrite,
  type TransitionConfig,
  type TransitionId,
} from '../../src/testing/conformance/transitions.ts'

export {
  isIgnore,
  listOf,
  MARK,
  marked,
  type NodeConfig,
  sitesOf,
  type TransitionId,
} from '../../src/testing/conformance/transitions.ts'

/** A mutant: one transition is gone. */
export function without(machine: AnyStateMachine, id: TransitionId): AnyStateMachine {
  return mutated(machine, id, () => null)
}

/** A mutant: one transition has lost its guard. */
export function unguarded(machine: AnyStateMachine, id: TransitionId): AnyStateMachine {
  return mutated(machine, id, ({ guard: _, ...rest }) => rest)
}

/** A mutant: parts of one transition are others. */
export function rewritten(
  machine: AnyStateMachine,
  id: TransitionId,
  change: TransitionConfig,
): AnyStateMachine {
  return mutated(machine, id, (transition) => ({ ...transition, ...change }))
}

function mutated(
  machine: AnyStateMachine,
  id: TransitionId,
  change: (transition: TransitionConfig) => TransitionConfig | null,
): AnyStateMachine {
  let found = false
  const mutant = rewrite(machine, (site) => {
    if (site.id !== id) return site.transition
    found = true
    return change(site.transition)
  })
  if (!found) throw new Error(`${machine.id} has no transition ${id}`)
  return mutant
}
