/**
 * The task machine as a table: state × event → guarded steps. It is read from the machine's own
 * configuration, so there is one source; a test walks every reachable edge of both and finds them
 * equal. It never decides anything itself.
 */
import type { SnapshotFrom } from 'xstate'
import { taskMachine } from '../../../machines/task.machine.ts'
import {
  type TaskCommand,
  type TaskEvent,
  type TaskMachineContext,
  taskGuards,
  taskUpdates,
} from '../../../machines/task.setup.ts'

export type TaskStateName = SnapshotFrom<typeof taskMachine>['value']
/** What the table runs over: the machine's facts and where it stands. */
export interface Compiled extends TaskMachineContext {
  state: TaskStateName
}

type Guard = (facts: TaskMachineContext, event: TaskEvent) => boolean
type Update = (facts: TaskMachineContext, event: TaskEvent) => Partial<TaskMachineContext>
interface Edge {
  readonly guard: Guard | null
  readonly target: TaskStateName | null
  readonly exit: readonly TaskCommand[]
  readonly updates: readonly Update[]
  readonly entry: readonly TaskCommand[]
}
interface EdgeConfig {
  readonly guard?: string
  readonly target?: string
  readonly actions?: string | readonly string[]
}
interface StateConfig {
  readonly type?: string
  readonly entry?: string | readonly string[]
  readonly exit?: string | readonly string[]
  readonly on?: Readonly<Record<string, string | EdgeConfig | readonly EdgeConfig[]>>
}

const guards = taskGuards as Readonly<Record<string, Guard>>
const updates = taskUpdates as Readonly<Record<string, Update>>

function listOf<T>(value: T | readonly T[] | undefined): readonly T[] {
  if (value === undefined) return []
  return Array.isArray(value) ? value : [value as T]
}

function guardOf(name: string | undefined): Guard | null {
  if (name === undefined) return null
  const guard = guards[name]
  if (guard === undefined) throw new Error(`task machine: guard ${name} has no implementation`)
  return guard
}

function compileEdge(
  states: Readonly<Record<string, StateConfig>>,
  from: StateConfig,
  config: EdgeConfig,
): Edge {
  const target = config.target === undefined ? null : states[config.target]
  const actions = listOf(config.actions)
  const commands = actions.filter((name) => !(name in updates)) as TaskCommand[]
  return {
    guard: guardOf(config.guard),
    target: (config.target ?? null) as TaskStateName | null,
    exit: target === null ? [] : (listOf(from.exit) as TaskCommand[]),
    updates: actions.flatMap((name) => updates[name] ?? []),
    entry: [...commands, ...(target ? (listOf(target.entry) as TaskCommand[]) : [])],
  }
}

function compile(): Readonly<Record<string, Readonly<Record<string, readonly Edge[]>>>> {
  const states = taskMachine.config.states as unknown as Readonly<Record<string, StateConfig>>
  return Object.fromEntries(
    Object.entries(states).map(([name, state]) => [
      name,
      Object.fromEntries(
        Object.entries(state.on ?? {}).map(([type, edges]) => [
          type,
          listOf(edges).map((edge) =>
            compileEdge(states, state, typeof edge === 'string' ? { target: edge } : edge),
          ),
        ]),
      ),
    ]),
  )
}

const table = compile()
export const FINAL_STATES: ReadonlySet<string> = new Set(
  Object.entries(taskMachine.config.states as unknown as Record<string, StateConfig>)
    .filter(([, state]) => state.type === 'final')
    .map(([name]) => name),
)

export type StepResult = 'taken' | 'ignored' | 'unexpected'

/**
 * Takes one step in place and runs its commands in the machine's order. Final states take none: an
 * event that comes after the end is ignored.
 */
export function step<T extends Compiled>(
  task: T,
  event: TaskEvent,
  run: (task: T, command: TaskCommand) => void,
): StepResult {
  const edges = table[task.state]?.[event.type]
  if (edges === undefined) return FINAL_STATES.has(task.state) ? 'ignored' : 'unexpected'
  for (const edge of edges) {
    if (edge.guard !== null && !edge.guard(task, event)) continue
    for (const command of edge.exit) run(task, command)
    for (const update of edge.updates) Object.assign(task, update(task, event))
    if (edge.target !== null) task.state = edge.target
    for (const command of edge.entry) run(task, command)
    return edge.target === null && edge.updates.length === 0 && edge.entry.length === 0
      ? 'ignored'
      : 'taken'
  }
  return 'ignored'
}
