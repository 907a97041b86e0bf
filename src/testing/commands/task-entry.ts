/** One task in the books: what was handed in, which lives it has had, and how each ended. */
import type { TaskHandle, TaskOutcome } from '../../api/task.ts'

/** What was handed in. */
export interface TaskMachineContext {
  readonly id: string
  readonly name: string
  /** Each must have ended before; and succeeded, unless `isLenient`. */
  readonly parents: readonly string[]
  readonly isLenient: boolean
  /** Of its deduplication. */
  readonly key: string | null
  readonly group: string | null
}

export type Status = TaskOutcome['status']

/** A task in the books. */
export interface Entry {
  facts: TaskMachineContext
  /** Of the life that failed last: with these a dead letter is sent again. */
  letter: TaskMachineContext | null
  handle: TaskHandle | null
  /** How often it was accepted: a dead letter that is sent again lives once more. */
  runs: number
  ends: number
  last: Status | null
  /** How each life ended. */
  readonly outcomes: Status[]
  /** Of what it waits for now: a task, and which life of it. */
  dependencies: readonly { readonly parent: Entry; readonly life: number }[]
  /** Where the task was when somebody cancelled it. */
  cancelled: 'no' | 'waiting' | 'underWay'
  cancelledAtMs: number
}

export function newEntry(facts: TaskMachineContext): Entry {
  return {
    facts,
    letter: null,
    handle: null,
    runs: 0,
    ends: 0,
    last: null,
    outcomes: [],
    dependencies: [],
    cancelled: 'no',
    cancelledAtMs: 0,
  }
}

/** How those that it waits for have ended; undefined is for one that has not. */
export function endsOf({ dependencies }: Entry): (Status | undefined)[] {
  return dependencies.map(({ parent, life }) => parent.outcomes[life - 1])
}
