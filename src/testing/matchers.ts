/**
 * Matchers for vitest (and whoever speaks its language): `expect.extend(troupeMatchers)`. They look
 * and judge; they need no test runner themselves.
 */
import type { AnyStateMachine } from 'xstate'
import { type MachineId, machines } from '../../machines/index.ts'
import type { PoolEvents } from '../api/events.ts'
import type { TaskHandle, TaskOutcome } from '../api/task.ts'
import { checkConformance, problemText } from './conformance/conformance.ts'
import { type ConformanceReport } from './conformance/trace-tally.ts'

/** ms that a task may take to settle, unless told otherwise. */
const DEFAULT_SETTLE_WITHIN_MS = 30_000

interface MatcherResult {
  readonly pass: boolean
  readonly message: () => string
}

export interface SettleOptions {
  /** ms. Default 30,000. */
  readonly within?: number
  /** The tasks' pool: then the news it tells are counted, too. */
  readonly pool?: {
    on<T extends keyof PoolEvents>(
      type: T,
      listener: (event: PoolEvents[T]) => void,
    ): { unsubscribe(): void }
  }
}

/** What the matchers add to `expect`: `interface Matchers<T> extends TroupeMatchers {}`. */
export interface TroupeMatchers {
  /** A task handle, or several: each settles, once, and every view of it agrees. */
  toSettleExactlyOnce(options?: SettleOptions): Promise<void>
  /**
   * A trace (its path, its lines, or the report on it): whole, in order, and taken again by the
   * machine with the same states and commands. Without a machine: by all of them.
   */
  toConformTo(machine?: MachineId | AnyStateMachine): void
}

type Handle = Pick<TaskHandle, 'id' | 'wait' | 'outcome' | 'status'>
const ENDS = ['task.succeeded', 'task.failed', 'task.cancelled'] as const

async function toSettleExactlyOnce(
  received: unknown,
  { within = DEFAULT_SETTLE_WITHIN_MS, pool }: SettleOptions = {},
): Promise<MatcherResult> {
  const handles = (Array.isArray(received) ? received : [received]) as readonly Handle[]
  const reported = new Map<string, number>()
  const subscriptions = ENDS.map((type) =>
    pool?.on(type, ({ taskId }) => reported.set(taskId, (reported.get(taskId) ?? 0) + 1)),
  )
  // Its end is told already, or still to be told: once in all.
  const due = new Map(handles.map((handle) => [handle.id, isEnded(handle) ? 0 : 1]))
  const outcomes = await Promise.all(handles.map((handle) => handle.wait(within)))
  const problems: string[] = []
  for (const [at, handle] of handles.entries()) {
    const problem = await problemOf(handle, outcomes[at] ?? null, within)
    if (problem !== null) problems.push(problem)
    const count = reported.get(handle.id) ?? 0
    if (problem === null && pool !== undefined && count !== due.get(handle.id)) {
      problems.push(`${handle.id}: its end was told ${count} times`)
    }
  }
  for (const subscription of subscriptions) subscription?.unsubscribe()
  return {
    pass: problems.length === 0,
    message: () =>
      problems.length === 0
        ? 'expected the tasks not to settle exactly once'
        : `expected the tasks to settle exactly once:\n${problems.join('\n')}`,
  }
}

async function problemOf(
  handle: Handle,
  outcome: TaskOutcome | null,
  within: number,
): Promise<string | null> {
  if (outcome === null) return `${handle.id} has not settled within ${within} ms`
  const again = await handle.outcome()
  if (again.status !== outcome.status) {
    return `${handle.id} settled as ${outcome.status}, and then as ${again.status}`
  }
  const { state } = handle.status()
  return state === outcome.status ? null : `${handle.id} is ${outcome.status}, its status ${state}`
}

function isEnded(handle: Handle): boolean {
  return ENDS.some((type) => type === `task.${handle.status().state}`)
}

function toConformTo(received: unknown, machine?: MachineId | AnyStateMachine): MatcherResult {
  const report = reportOf(received)
  const id = typeof machine === 'object' ? machine.id : machine
  if (id !== undefined && !Object.hasOwn(machines, id)) {
    throw new TypeError(
      `toConformTo: there is no machine "${id}"; known: ${Object.keys(machines).join(', ')}`,
    )
  }
  const isSeen = id === undefined || report.taken.has(id as MachineId)
  const problems = report.problems.map(problemText)
  const pass = report.ok && isSeen
  const why = isSeen ? problems.join('\n') : `no step of the ${id} machine is in it`
  return {
    pass,
    message: () =>
      pass
        ? `expected the trace not to conform to ${id ?? 'the machines'}`
        : `expected the trace to conform to ${id ?? 'the machines'}:\n${why}`,
  }
}

function reportOf(received: unknown): ConformanceReport {
  const isReport = typeof received === 'object' && received !== null && 'problems' in received
  if (isReport) return received as ConformanceReport
  return checkConformance(received as string | Iterable<string>)
}

/** `expect.extend(troupeMatchers)` */
export const troupeMatchers = { toSettleExactlyOnce, toConformTo }
