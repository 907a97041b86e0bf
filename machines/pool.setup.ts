/**
 * What the pool machine knows and how it judges: its context, its events, its guards and its
 * updates.
 */
import { assign } from 'xstate'

import type { ShutdownToPool } from './shutdown.machine.ts'
import type { SupervisorToPool } from './supervisor-messages.ts'
import type { DispatchHolder, SerializedError, PortFailed, SlotId } from './protocol.ts'
import type { WorkerToPool } from './worker-messages.ts'

export interface PoolContext {
  readonly startTimeoutMs: number
  /** Wanted workers. */
  readonly size: number
  /** Wanted spares: started beside the workers, and serving when one of them is lost. */
  readonly standby: number
  /** Of those, how many the machine has memory for now. */
  readonly affordable: number
  /** The slots that are to serve, and those that are to stand by. */
  readonly serving: readonly SlotId[]
  readonly spares: readonly SlotId[]
  /** Every slot that was told to start and has not stopped since. */
  readonly alive: readonly SlotId[]
  readonly ready: readonly SlotId[]
  /** Spares that could serve this moment. */
  readonly warm: readonly SlotId[]
  readonly failed: readonly SlotId[]
  /** Starts that came to nothing while the pool starts, counted up to one more than workers. */
  readonly troubles: number
  /** How often the end of a run with a defect was asked for, at most ABORTS. */
  readonly aborts: number
  readonly error: SerializedError | null
}
export type PoolEvent =
  | { type: 'pool.start' }
  | { type: 'pool.pause' }
  | { type: 'pool.resume' }
  | { type: 'pool.drain' }
  | { type: 'pool.stop'; force: boolean }
  | { type: 'pool.recover' }
  | { type: 'pool.scale'; workers: number }
  | { type: 'run.opened' }
  | { type: 'run.failed'; error: SerializedError }
  /** Every accepted task has ended. */
  | { type: 'ledger.emptied' }
  /** A defect: one of the pool's own commands could not be carried out. */
  | PortFailed
  /** A defect: another actor has ended of an error, or lost one of its words. */
  | { type: 'actor.failed'; actor: string; error: SerializedError }
  /** After a defect: no process is left, every task has ended, the store is closed. */
  | { type: 'run.aborted' }
  | WorkerToPool
  | ShutdownToPool
  | SupervisorToPool
export type PoolToLedger =
  | { type: 'dispatch.hold'; holder: DispatchHolder }
  | { type: 'dispatch.free'; holder: DispatchHolder }
  | { type: 'intake.open' }
  | { type: 'intake.drain' }
  | { type: 'pool.failed'; error: SerializedError }
export type PoolToSupervisor =
  | { type: 'pool.opened'; workers: number }
  /** `slots`: all that may start, the spares included. */
  | { type: 'pool.resized'; workers: number; slots: readonly SlotId[] }
  | { type: 'pool.closed' }

type Args = { context: PoolContext; event: PoolEvent }
type Of<T extends PoolEvent['type']> = Extract<PoolEvent, { type: T }>

const slotOf = ({ event }: Args) => (event as Of<'worker.ready'>).slot
const without = (slots: readonly SlotId[], slot: SlotId) => slots.filter((other) => other !== slot)
const withSlot = (slots: readonly SlotId[], slot: SlotId) => [...without(slots, slot), slot]
/** How many of those that are to serve are among these. */
const wanted = ({ serving }: PoolContext, slots: readonly SlotId[]) =>
  serving.filter((slot) => slots.includes(slot)).length
const change = (update: (args: Args) => Partial<PoolContext>) =>
  assign<PoolContext, PoolEvent, undefined, PoolEvent, never>(update)
/** A hung start is ended by its own limit; the try after it gets that time and some for the way. */
const SECOND_TRY_SHARE = 1.5
/** So long after a defect until all is ended, or it is tried once more. */
const ABORT_TIMEOUT_MS = 5_000
const ABORTS = 2
export const START_TIMED_OUT: SerializedError = {
  code: 'WORKER_START_FAILED',
  message: 'no worker was ready within the start timeout',
}

export const poolUpdates = {
  noteReady: change(({ context, event }) => {
    const slot = slotOf({ context, event })
    return {
      ready: withSlot(context.ready, slot),
      failed: without(context.failed, slot),
    }
  }),
  /** Who has been called meanwhile is no spare any more. */
  noteWarm: change(({ context, event }) => {
    const slot = slotOf({ context, event })
    return {
      warm: context.spares.includes(slot) ? withSlot(context.warm, slot) : context.warm,
      failed: without(context.failed, slot),
    }
  }),
  noteLost: change(({ context, event }) => lost(context, slotOf({ context, event }))),
  noteTroubled: change(({ context, event }) => ({
    ...lost(context, slotOf({ context, event })),
    error: (event as Of<'worker.troubled'>).error,
  })),
  countTrouble: change(({ context }) => ({
    troubles: Math.min(context.troubles + 1, context.size + 1),
  })),
  noteFailed: change(({ context, event }) => {
    const slot = slotOf({ context, event })
    const { error } = event as Of<'worker.failed'>
    return { ...lost(context, slot), failed: withSlot(context.failed, slot), error }
  }),
  noteStopped: change(({ context, event }) => {
    const slot = slotOf({ context, event })
    return {
      alive: without(context.alive, slot),
      ready: without(context.ready, slot),
      warm: without(context.warm, slot),
      failed: without(context.failed, slot),
    }
  }),
  noteError: change(({ event }) => ({ error: (event as Of<'run.failed'>).error, aborts: 0 })),
  noteStartTimedOut: change(({ context }) => ({
    error: context.error === null ? START_TIMED_OUT : { ...START_TIMED_OUT, cause: context.error },
  })),
  countAbort: change(({ context }) => ({ aborts: Math.min(context.aborts + 1, ABORTS) })),
  begin: change(({ context }) => ({
    aborts: 0,
    error: null,
    failed: [],
    affordable: context.standby,
  })),
  /** None of them has a process any more. */
  forgetWorkers: change(() => ({ alive: [], ready: [], warm: [], failed: [] })),
  noteSize: change(({ event }) => ({ size: (event as Of<'pool.scale'>).workers })),
  rosterFirst: change(({ context }) => ({ ...firstRoster(context), warm: [], troubles: 0 })),
  /** Those that had failed are told to start again. */
  resize: change(({ context, event }) => {
    const { workers } = event as Of<'pool.scale'>
    return { ...reassign(context, workers, context.affordable), size: workers, failed: [] }
  }),
  /** Short of memory, the spares go first: nobody misses them yet. */
  afford: change(({ context, event }) => {
    const affordable = (event as Of<'memory.changed'>).band === 'normal' ? context.standby : 0
    return { ...reassign(context, context.size, affordable), affordable }
  }),
  substitute: change(({ context }) => swapVacant(context)),
  noteAlive: change(({ context }) => ({
    alive: [...new Set([...context.alive, ...context.serving, ...context.spares])],
  })),
}

const lost = ({ ready, warm }: PoolContext, slot: SlotId) => ({
  ready: without(ready, slot),
  warm: without(warm, slot),
})

export const poolGuards = {
  /** With this one, every wanted worker is either ready or beyond hope. */
  isStartComplete: (args: Args) =>
    wanted(args.context, withSlot(args.context.ready, slotOf(args))) +
      wanted(args.context, without(args.context.failed, slotOf(args))) >=
    args.context.size,
  isEnoughReady: ({ context, event }: Args) => {
    const { workers } = event as Of<'pool.scale'>
    const next = { ...context, ...reassign(context, workers, context.affordable) }
    return wanted(next, next.ready) >= workers
  },
  isLastHope: (args: Args) =>
    without(args.context.warm, slotOf(args)).length === 0 &&
    wanted(args.context, withSlot(args.context.failed, slotOf(args))) >= args.context.size,
  isLastToFail: (args: Args) =>
    wanted(args.context, withSlot(args.context.failed, slotOf(args))) +
      wanted(args.context, without(args.context.ready, slotOf(args))) >=
    args.context.size,
  isAnyReady: ({ context }: Args) => context.ready.length + context.warm.length > 0,
  /** Nobody was started twice in vain: what hung until now has another try before it. */
  isFirstTry: ({ context }: Args) => context.troubles <= context.size,
  isSpareCalled: ({ context }: Args) => context.warm.length > 0 && vacancy(context) !== null,
  isWantedAgain: ({ context, event }: Args) =>
    [...context.serving, ...context.spares].includes(slotOf({ context, event })),
  isLastToStop: (args: Args) => without(args.context.alive, slotOf(args)).length === 0,
  isNobodyAlive: ({ context }: Args) => context.alive.length === 0,
  isStop: ({ event }: Args) => (event as Of<'workers.end'>).how === 'stop',
  isTerminate: ({ event }: Args) => (event as Of<'workers.end'>).how === 'terminate',
  mayAbortAgain: ({ context }: Args) => context.aborts < ABORTS,
  isForced: ({ event }: Args) => (event as Of<'pool.stop'>).force,
}

export const poolDelays = {
  abortTimeout: () => ABORT_TIMEOUT_MS,
  startDeadline: ({ context }: Args) => context.startTimeoutMs,
  secondDeadline: ({ context }: Args) => context.startTimeoutMs * SECOND_TRY_SHARE,
}

type Roster = Pick<PoolContext, 'serving' | 'spares'>

type Placement = Pick<PoolContext, 'serving' | 'spares' | 'ready' | 'warm'>

const union = (slots: readonly SlotId[], others: readonly SlotId[]) => [
  ...new Set([...slots, ...others]),
]

const numberOf = (slot: SlotId) => Number(slot.slice('worker-'.length))

const inOrder = (slots: readonly SlotId[]) => slots.toSorted((a, b) => numberOf(a) - numberOf(b))

const slotsUpTo = (size: number): SlotId[] =>
  Array.from({ length: size }, (_, index): SlotId => `worker-${index + 1}`)

/** The cast of a pool that starts: the first slots serve. */
export function firstRoster({ size, affordable }: PoolContext): Roster {
  const slots = slotsUpTo(size + affordable)
  return { serving: slots.slice(0, size), spares: slots.slice(size) }
}

/**
 * The cast for another size, with as few changes as can be: who serves goes on, the last slots go
 * first; of those who come, the warm are first and the spares that still start are second. A warm
 * spare that is called is as good as ready.
 */
export function reassign(
  { serving, spares, ready, warm }: Placement,
  size: number,
  standby: number,
): Placement {
  const used = [...serving, ...spares]
  const all = slotsUpTo(used.length + size + standby)
  const beside = (slots: readonly SlotId[]) => all.filter((slot) => !slots.includes(slot))
  const cold = spares.filter((slot) => !warm.includes(slot))
  const candidates = [...inOrder(serving), ...inOrder(warm), ...inOrder(cold), ...beside(used)]
  const chosen = candidates.slice(0, size)
  const standing = [
    ...spares.filter((slot) => !chosen.includes(slot)),
    ...beside([...used, ...chosen]),
  ]
  const kept = standing.slice(0, standby)
  return {
    serving: chosen,
    spares: kept,
    ready: union(
      ready,
      warm.filter((slot) => chosen.includes(slot)),
    ),
    warm: warm.filter((slot) => kept.includes(slot)),
  }
}

/** A slot that is to serve and does not; null when there is none. */
export function vacancy({ serving, ready }: PoolContext): SlotId | null {
  return serving.find((slot) => !ready.includes(slot)) ?? null
}

/** The first warm spare and the slot that does not serve change places. */
export function swapVacant(context: PoolContext): Partial<Placement> {
  const vacant = vacancy(context)
  const [called] = context.warm
  if (vacant === null || called === undefined) return {}
  const swap = (slots: readonly SlotId[], from: SlotId, to: SlotId) =>
    slots.map((slot) => (slot === from ? to : slot))
  return {
    serving: swap(context.serving, vacant, called),
    spares: swap(context.spares, called, vacant),
    ready: union(context.ready, [called]),
    warm: context.warm.slice(1),
  }
}
