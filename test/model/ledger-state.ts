/**
 * The ledger as plain data for the model: tasks, places, queue and holders, and what makes two of
 * them the same. Tasks that were submitted alike are alike: they are kept in an order that does not
 * depend on their names.
 */
import type { CancelReason, SerializedError } from '../../machines/protocol.ts'
import type { Compiled, TaskStateName } from '../../src/ledger/task/task-table.ts'

/** How every task of a composition is submitted. */
export interface TaskPlan {
  readonly attempts: number
  readonly idempotent: boolean
  readonly hasTimeout: boolean
  readonly hasQueueTimeout: boolean
  readonly hasDeadline: boolean
  readonly isDelayed: boolean
}

export interface ModelTask extends Compiled {
  state: TaskStateName
  attempt: number
  released: number
  attempts: number
  blockers: number
  delayMs: number
  idempotent: boolean
  kills: number
  reason: CancelReason | null
  error: SerializedError | null
  isSubmitted: boolean
  timer: string | null
  hasDeadline: boolean
  /** Its handler will never end by itself. */
  isStuck: boolean
}

export interface ModelCapacity {
  slot: string
  incarnation: number
  isOpen: boolean
  tasks: number[]
}

export interface LedgerState {
  tasks: ModelTask[]
  queue: number[]
  workers: ModelCapacity[]
  /** Open places in the order of their turns, as `slot#incarnation`. */
  open: string[]
  turn: number
  holders: string[]
  isDispatchDue: boolean
  hasFailed: boolean
  awaited: string[]
}

export const ENDED: ReadonlySet<string> = new Set(['succeeded', 'failed', 'cancelled'])
export const ACTIVE: ReadonlySet<string> = new Set(['assigned', 'running', 'cancelling'])

export const workerName = ({ slot, incarnation }: { slot: string; incarnation: number }): string =>
  `${slot}#${incarnation}`

export function plannedTask(plan: TaskPlan): ModelTask {
  return {
    state: 'submitted',
    attempt: 0,
    released: 0,
    attempts: plan.attempts,
    blockers: 0,
    delayMs: plan.isDelayed ? 1 : 0,
    idempotent: plan.idempotent,
    kills: 0,
    reason: null,
    error: null,
    isSubmitted: false,
    timer: null,
    hasDeadline: plan.hasDeadline,
    isStuck: false,
  }
}

export function cloneLedger(state: LedgerState): LedgerState {
  return {
    ...state,
    tasks: state.tasks.map((task) => ({ ...task })),
    queue: [...state.queue],
    workers: state.workers.map((worker) => ({ ...worker, tasks: [...worker.tasks] })),
    open: [...state.open],
    holders: [...state.holders],
    awaited: [...state.awaited],
  }
}

/**
 * All ends are one, errors are forgotten, releases do not add up, and tasks stand in an order of
 * their own.
 */
export function canonicalLedger(state: LedgerState, plan: TaskPlan): LedgerState {
  const tasks = state.tasks.map((task) => plain(task, plan))
  const places = tasks.map((task, at) => {
    const worker = state.workers.find((one) => one.tasks.includes(at))
    return JSON.stringify([
      task,
      worker ? [workerName(worker), worker.tasks.indexOf(at)] : null,
      state.queue.indexOf(at),
    ])
  })
  const order = tasks
    .map((_, at) => at)
    .sort((a, b) =>
      (places[a] as string) < (places[b] as string) ? -1 : places[a] === places[b] ? a - b : 1,
    )
  const isSame = order.every((from, to) => from === to)
  const moved = (at: number) => (isSame ? at : order.indexOf(at))
  return {
    ...state,
    tasks: order.map((at) => tasks[at] as ModelTask),
    queue: state.queue.map(moved),
    workers: state.workers
      .map((worker) => ({ ...worker, tasks: worker.tasks.map(moved) }))
      .sort((a, b) => (workerName(a) < workerName(b) ? -1 : 1)),
    holders: state.holders.toSorted(),
    awaited: state.awaited.toSorted(),
  }
}

function plain(task: ModelTask, plan: TaskPlan): ModelTask {
  if (ENDED.has(task.state)) {
    return { ...plannedTask(plan), isSubmitted: true, hasDeadline: false, state: 'succeeded' }
  }
  return { ...task, attempt: task.attempt - task.released, released: 0, error: null }
}
