/**
 * What the pool machine knows and how it judges: its context, its events, its guards and its
 * updates.
 */
import { assign } from 'xstate'
import type { ShutdownToPool } from './shutdown.ts'
import type { SupervisorToPool } from './supervisor-words.ts'
import type { DispatchHolder, ErrorFacts, SlotId } from './vocabulary.ts'
import type { WorkerToPool } from './worker-words.ts'

export interface PoolContext {
  readonly startTimeoutMs: number
  /** Wanted workers. */
  readonly size: number
  /** Every slot that was told to start and has not stopped since. */
  readonly alive: readonly SlotId[]
  readonly ready: readonly SlotId[]
  readonly failed: readonly SlotId[]
  readonly error: ErrorFacts | null
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
  | { type: 'run.failed'; error: ErrorFacts }
  /** Every accepted task has ended. */
  | { type: 'ledger.emptied' }
  | WorkerToPool
  | ShutdownToPool
  | SupervisorToPool
export type PoolToLedger =
  | { type: 'dispatch.hold'; holder: DispatchHolder }
  | { type: 'dispatch.free'; holder: DispatchHolder }
  | { type: 'intake.open' }
  | { type: 'intake.drain' }
  | { type: 'pool.failed'; error: ErrorFacts }
export type PoolToSupervisor =
  | { type: 'pool.opened'; workers: number }
  | { type: 'pool.resized'; workers: number }
  | { type: 'pool.closed' }

type Args = { context: PoolContext; event: PoolEvent }
type Of<T extends PoolEvent['type']> = Extract<PoolEvent, { type: T }>

export const slotsUpTo = (size: number): SlotId[] =>
  Array.from({ length: size }, (_, index): SlotId => `worker-${index + 1}`)
const slotOf = ({ event }: Args) => (event as Of<'worker.ready'>).slot
export const isWanted = (context: PoolContext, slot: SlotId) =>
  Number(slot.slice(7)) <= context.size
const without = (slots: readonly SlotId[], slot: SlotId) => slots.filter((other) => other !== slot)
const withSlot = (slots: readonly SlotId[], slot: SlotId) => [...without(slots, slot), slot]
const wanted = (context: PoolContext, slots: readonly SlotId[]) =>
  slots.filter((slot) => isWanted(context, slot)).length
const change = (update: (args: Args) => Partial<PoolContext>) =>
  assign<PoolContext, PoolEvent, undefined, PoolEvent, never>(update)
export const START_TIMED_OUT: ErrorFacts = {
  code: 'WORKER_START_FAILED',
  message: 'no worker was ready within the start timeout',
}

export const poolUpdates = {
  noteReady: change((args) => ({
    ready: withSlot(args.context.ready, slotOf(args)),
    failed: without(args.context.failed, slotOf(args)),
  })),
  noteLost: change((args) => ({ ready: without(args.context.ready, slotOf(args)) })),
  noteFailed: change((args) => ({
    ready: without(args.context.ready, slotOf(args)),
    failed: withSlot(args.context.failed, slotOf(args)),
    error: (args.event as Of<'worker.failed'>).error,
  })),
  noteStopped: change((args) => ({
    alive: without(args.context.alive, slotOf(args)),
    ready: without(args.context.ready, slotOf(args)),
    failed: without(args.context.failed, slotOf(args)),
  })),
  noteError: change(({ event }) => ({ error: (event as Of<'run.failed'>).error })),
  noteStartTimedOut: change(({ context }) => ({
    error: context.error === null ? START_TIMED_OUT : { ...START_TIMED_OUT, cause: context.error },
  })),
  forgetError: change(() => ({ error: null, failed: [] })),
  /** Those that had failed are told to start again. */
  resize: change(({ event }) => ({ size: (event as Of<'pool.scale'>).workers, failed: [] })),
  noteAlive: change(({ context }) => ({
    alive: [...new Set([...context.alive, ...slotsUpTo(context.size)])],
  })),
}

export const poolGuards = {
  /** With this one, every wanted worker is either ready or beyond hope. */
  isStartComplete: (args: Args) =>
    wanted(args.context, withSlot(args.context.ready, slotOf(args))) +
      wanted(args.context, without(args.context.failed, slotOf(args))) >=
    args.context.size,
  isEnoughReady: ({ context, event }: Args) => {
    const { workers } = event as Of<'pool.scale'>
    return wanted({ ...context, size: workers }, context.ready) >= workers
  },
  isLastHope: (args: Args) =>
    wanted(args.context, withSlot(args.context.failed, slotOf(args))) >= args.context.size,
  isLastToFail: (args: Args) =>
    wanted(args.context, withSlot(args.context.failed, slotOf(args))) +
      wanted(args.context, without(args.context.ready, slotOf(args))) >=
    args.context.size,
  isAnyReady: ({ context }: Args) => context.ready.length > 0,
  isLastToStop: (args: Args) => without(args.context.alive, slotOf(args)).length === 0,
  isNobodyAlive: ({ context }: Args) => context.alive.length === 0,
  isStop: ({ event }: Args) => (event as Of<'workers.end'>).how === 'stop',
  isTerminate: ({ event }: Args) => (event as Of<'workers.end'>).how === 'terminate',
  isForced: ({ event }: Args) => (event as Of<'pool.stop'>).force,
}
