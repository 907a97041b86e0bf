/**
 * What must hold in a pool, whoever looks: the model, which goes through every state there is, and
 * the simulation, which drives the real one. Each rule reads a view of the whole and says what is
 * wrong with it, or null. It never looks for itself.
 */
import type { WorkerContext } from '../../machines/worker.setup.ts'

export interface ProcessView {
  readonly incarnation: number
  /** It has a session and serves, or would if it were asked to. */
  readonly isReady: boolean
  /** Asked to go, killed, or past hearing anything. */
  readonly isLeaving: boolean
}

/** A process by which a worker serves, and how many tasks the worker counts in it. */
export interface CrewView {
  readonly incarnation: number
  readonly inFlight: number
}

export interface SlotView {
  readonly slot: string
  /** The worker has stopped: it wants no process. */
  readonly isStopped: boolean
  readonly crews: readonly CrewView[]
  /** Incarnations that the worker would see to the end of. */
  readonly owned: readonly number[]
  readonly processes: readonly ProcessView[]
}

/** Where tasks run: a slot's incarnation, as the ledger keeps it. */
export interface CapacityView {
  readonly slot: string
  readonly incarnation: number
  readonly tasks: readonly (string | number)[]
}

export interface TaskView {
  readonly id: string | number
  readonly state: string
}

/** A pool at one moment. */
export interface PoolView {
  readonly pool: string
  readonly isDraining: boolean
  /** After a defect: a word may be lost, so that nothing is asked of what the actors know. */
  readonly isAborting: boolean
  readonly shutdown: string
  readonly breaker: 'closed' | 'open' | 'halfOpen'
  /** Crashes that count, and how many may. */
  readonly crashes: number
  readonly intensity: number
  /** Slots that hold a start permit. */
  readonly starting: readonly string[]
  /** Slots whose browser runs: they have given their leave back, and are not ready yet. */
  readonly launched: readonly string[]
  readonly waiting: readonly string[]
  readonly maxStarting: number
  /** Slots that are to serve, and those that stand by. */
  readonly serving: readonly string[]
  readonly spares: readonly string[]
  readonly alive: readonly string[]
  readonly ready: readonly string[]
  readonly warm: readonly string[]
  readonly failed: readonly string[]
  readonly slots: readonly SlotView[]
  readonly workers: readonly CapacityView[]
  /** All that were accepted. */
  readonly tasks: readonly TaskView[]
  /** What is under way outside: `dispatch is due`, `the run folder is at work`. */
  readonly pending: string | null
}

const ENDED: ReadonlySet<string> = new Set(['succeeded', 'failed', 'cancelled'])
/** States of a worker's life in which no process serves it. */
const ASLEEP: ReadonlySet<string> = new Set(['stopped', 'backoff', 'failed', 'lingering'])
const WAITING: ReadonlySet<string> = new Set([
  'submitted',
  'blocked',
  'delayed',
  'queued',
  'backingOff',
])

/** `always`: must hold between any two events. */
export function violationIn(view: PoolView): string | null {
  if (view.isAborting) return violationOfOwners(view)
  if (view.breaker === 'closed' && view.crashes > view.intensity) {
    return 'more crashes than the intensity allows, and the breaker is closed'
  }
  return violationOfOwners(view) ?? violationOfCapacity(view) ?? violationOfTasks(view)
}

/** No process without an owner. */
function violationOfOwners({ slots }: PoolView): string | null {
  for (const { owned, processes } of slots) {
    for (const { incarnation } of processes) {
      if (!owned.includes(incarnation)) return 'a process lives that no worker knows of'
    }
  }
  return null
}

/** What the ledger believes to run in a process, and what its worker counts, is the same. */
function violationOfCapacity({ slots, workers }: PoolView): string | null {
  let found = 0
  for (const { slot, crews, processes } of slots) {
    for (const { incarnation, inFlight } of crews) {
      if (!processes.some((process) => process.incarnation === incarnation)) {
        return 'a worker serves with a process that is gone'
      }
      const worker = workers.find((one) => one.slot === slot && one.incarnation === incarnation)
      if (worker !== undefined) found++
      const seated = worker?.tasks.length ?? 0
      if (seated !== inFlight) {
        return `a worker counts ${inFlight} tasks in flight, the ledger ${seated}`
      }
    }
  }
  return found === workers.length
    ? null
    : 'the ledger keeps capacity of a process that no worker has'
}

function violationOfTasks({ workers, tasks }: PoolView): string | null {
  const seated: (string | number)[] = []
  for (const worker of workers) {
    for (const id of worker.tasks) {
      if (seated.includes(id)) return 'a task runs twice at once'
      seated.push(id)
    }
  }
  for (const { id, state } of tasks) {
    const isSeated = seated.includes(id)
    if (ENDED.has(state) && isSeated) return 'a task has ended and still has a place'
    if (!ENDED.has(state) && isSeated === WAITING.has(state)) {
      return `a task is ${state} and has ${isSeated ? 'a' : 'no'} worker`
    }
  }
  return null
}

/** Judged as a process is about to be forked for the slot. */
export function violationOfFork(view: PoolView, slot: string): string | null {
  const { pool, shutdown, breaker, starting, launched } = view
  // Its leave was on its way as the defect came; so is the kill.
  if (view.isAborting) return null
  if (pool === 'idle' || pool === 'error') return `a process was started while the pool is ${pool}`
  if (pool === 'stopping' && shutdown !== 'draining') {
    return `a process was started while the shutdown is ${shutdown}`
  }
  if (breaker === 'open') return 'a process was started while the breaker is open'
  if (starting.length > view.maxStarting) return 'more processes start at once than may'
  if (!starting.includes(slot)) return 'a process was started without a start permit'
  if (breaker === 'halfOpen' && starting.length + launched.length > 1) {
    return 'a half-open breaker has two probes'
  }
  return processesIn(view) >= 2 * view.slots.length
    ? 'more processes live than two for each slot'
    : null
}

/** Judged as tasks are about to be sent to a process. */
export function violationOfRun({ pool }: Pick<PoolView, 'pool'>): string | null {
  if (pool === 'paused') return 'a task was started while the pool is paused'
  if (pool === 'running' || pool === 'starting') return null
  return `a task was started while the pool is ${pool}`
}

/** Judged as a shutdown is about to say that it was clean: it has left no process. */
export function violationOfCleanEnd(view: Pick<PoolView, 'slots'>): string | null {
  return processesIn(view) > 0 ? 'a clean end was told while a process lives' : null
}

/**
 * `eventually`: once nothing goes wrong any more, a pool comes to rest. Null at rest: nothing is
 * under way, and nothing that was asked for is missing. Else what is not yet as it should be.
 */
export function pendingIn(view: PoolView): string | null {
  const { pool, pending } = view
  if (pending !== null) return pending
  if (pool === 'starting' || pool === 'stopping') return `the pool is still ${pool}`
  if (view.starting.length > 0) return 'a start permit is held by nobody who starts'
  if (view.launched.length > 0) return 'a start that nobody makes has not ended'
  if (view.waiting.length > 0) return 'a slot waits for a start permit'
  const living = view.tasks.filter(({ state }) => !ENDED.has(state))
  if (pool === 'idle' || pool === 'error') return pendingOfEnd(view, living)
  const { serving, spares, ready, warm, failed } = view
  const isThere = (slot: string, there: readonly string[]) =>
    there.includes(slot) || failed.includes(slot)
  if (!serving.every((slot) => isThere(slot, ready))) {
    return 'a wanted worker is neither ready nor failed'
  }
  if (!spares.every((slot) => isThere(slot, warm))) return 'a spare is neither warm nor failed'
  const processes = view.slots.flatMap((slot) => slot.processes)
  const isOnItsWay = processes.some(({ isReady, isLeaving }) => !isReady || isLeaving)
  if (isOnItsWay || processes.length !== ready.length + warm.length) {
    return 'a process is on its way'
  }
  if (pool === 'paused') {
    const isUnderWay = living.some(({ state }) => state !== 'queued')
    return isUnderWay ? 'a task is under way in a paused pool' : null
  }
  if (living.length > 0) return 'a task has not ended'
  return view.isDraining ? 'the pool drains and nothing is left' : null
}

function pendingOfEnd(view: PoolView, living: readonly TaskView[]): string | null {
  const { pool, alive, slots } = view
  if (living.length > 0) return `the pool is ${pool} and a task has not ended`
  if (processesIn(view) > 0) return `the pool is ${pool} and a process lives`
  if (alive.length > 0) return `the pool is ${pool} and counts workers`
  return slots.every(({ isStopped }) => isStopped)
    ? null
    : `the pool is ${pool} and a worker has not stopped`
}

function processesIn({ slots }: Pick<PoolView, 'slots'>): number {
  return slots.reduce((sum, { processes }) => sum + processes.length, 0)
}

/** The incarnations that a worker in this state sees to the end of. */
export function ownedBy(
  life: unknown,
  { incarnation, current, outgoing }: WorkerContext,
): readonly number[] {
  const left = outgoing === null ? [] : [outgoing.incarnation]
  if (typeof life === 'string' && ASLEEP.has(life)) return left
  return [incarnation, ...(current === null ? [] : [current.incarnation]), ...left]
}

/** Whether the pool machine is between a defect and the end of all that was there. */
export function isAborting(value: unknown): boolean {
  const { error } = (typeof value === 'object' ? value : {}) as { error?: string }
  return error === 'aborting' || error === 'leaving'
}
