/**
 * What a machine's config must look like, whatever it does: named parts, described states, no way out of a final state.
 */
import type { AnyStateMachine } from 'xstate'
import { listOf, type NodeConfig, sitesOf } from './instrument.ts'

/** Longest description of a state in characters: it must fit one line. */
const MAX_DESCRIPTION = 110

interface Named {
  readonly kind: 'actions' | 'guards' | 'delays'
  readonly name: string
  readonly where: string
}

/** Inline functions, and names that nothing implements. */
export function unnamedParts(machine: AnyStateMachine): string[] {
  return partsOf(machine)
    .filter(({ kind, name }) => !Object.hasOwn(machine.implementations[kind], name))
    .map(({ kind, name, where }) => `${where}: ${kind.slice(0, -1)} ${name || 'without a name'}`)
}

/** Implementations that no state uses: dead code. */
export function unusedParts(machine: AnyStateMachine): string[] {
  const used = new Set(partsOf(machine).map(({ kind, name }) => `${kind} ${name}`))
  return (['actions', 'guards', 'delays'] as const)
    .flatMap((kind) => Object.keys(machine.implementations[kind]).map((name) => `${kind} ${name}`))
    .filter((part) => !used.has(part))
}

/** States without a description of one line. */
export function undescribedStates(machine: AnyStateMachine): string[] {
  return nodesOf(machine)
    .filter(({ node }) => !isOneLine(node.description))
    .map(({ id }) => id)
}

/** Final states that have a way out. */
export function leakyFinals(machine: AnyStateMachine): string[] {
  return nodesOf(machine)
    .filter(({ node }) => node.type === 'final')
    .filter(({ node }) => node.on || node.after || node.always || node.states)
    .map(({ id }) => id)
}

/** Every event type some state names, `*` aside. */
export function eventTypes(machine: AnyStateMachine): Set<string> {
  const keys = sitesOf(machine).filter(({ kind }) => kind === 'on')
  return new Set(keys.map(({ key }) => key).filter((key) => key !== '*'))
}

/** The names of the machine's commands: `subject.verb`. */
export function commandNames(machine: AnyStateMachine): string[] {
  return Object.keys(machine.implementations.actions).filter((name) => name.includes('.'))
}

function isOneLine(description: string | undefined): boolean {
  if (!description || description.includes('\n')) return false
  return description.length <= MAX_DESCRIPTION && description.endsWith('.')
}

function partsOf(machine: AnyStateMachine): Named[] {
  const passages = nodesOf(machine).flatMap(({ id, node }) =>
    [...listOf(node.entry), ...listOf(node.exit)].map((action) => named('actions', action, id)),
  )
  const transitions = sitesOf(machine).flatMap(({ id, kind, key, transition }) => [
    ...listOf(transition.actions).map((action) => named('actions', action, id)),
    ...guardNames(transition.guard).map((guard) => named('guards', guard, id)),
    ...(kind === 'after' ? [named('delays', key, id)] : []),
  ])
  return [...passages, ...transitions]
}

function named(kind: Named['kind'], part: unknown, where: string): Named {
  if (typeof part === 'string') return { kind, name: part, where }
  const name = typeof part === 'function' ? '' : ((part as { type?: string }).type ?? '')
  return { kind, name, where }
}

/** `and`, `or` and `not` of named guards count as named. */
function guardNames(guard: unknown): unknown[] {
  if (guard === undefined) return []
  const { guards } = guard as { guards?: readonly unknown[] }
  return guards ? guards.flatMap(guardNames) : [guard]
}

function nodesOf(machine: AnyStateMachine): { id: string; node: NodeConfig }[] {
  const visit = (node: NodeConfig, path: string): { id: string; node: NodeConfig }[] => [
    { id: path, node },
    ...Object.entries(node.states ?? {}).flatMap(([key, child]) => visit(child, `${path}.${key}`)),
  ]
  return visit(machine.config as NodeConfig, machine.id)
}
