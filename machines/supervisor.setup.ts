/**
 * What the supervisor knows and how it judges: context, events, guards, updates. The machine is in
 * `supervisor.ts`.
 */
import { and, assign, stateIn } from 'xstate'
import {
  burstingWorkers,
  crashesWithin,
  isDiskLow,
  largestWorker,
  mayGiveBack,
  type MemoryBand,
  memoryBand,
  type MemoryPolicy,
  oversizedSlots,
  type ScalingPolicy,
  silentWorkers,
  wantsLess,
  wantsMore,
} from './policy.ts'
import type { Reading, SlotId } from './protocol.ts'
import type { WorkerToSupervisor } from './worker-messages.ts'

export interface SupervisorPolicy {
  /** Crashes allowed within the period before the breaker opens. */
  readonly intensity: number
  readonly periodMs: number
  /** How long the breaker stays open before a probe. */
  readonly cooldownMs: number
  /** Workers at once that start and have no browser yet: at most the machine's cores. */
  readonly maxStarting: number
  readonly zombieAfterMs: number
  /** How long no reading may come before that is said. */
  readonly readingTimeoutMs: number
  readonly scaleCooldownMs: number
  /** Bytes below which nothing is dispatched; 0 for none. */
  readonly diskFloorBytes: number
  readonly memory: MemoryPolicy
  readonly scaling: ScalingPolicy
}

export interface SupervisorContext {
  readonly policy: SupervisorPolicy
  /** Workers the pool wants now. */
  readonly size: number
  readonly waiting: readonly SlotId[]
  /** Those that have a start permit, and hold it. */
  readonly starting: readonly SlotId[]
  /** Those that have given it back, and are not ready yet. */
  readonly launched: readonly SlotId[]
  readonly crashesMs: readonly number[]
  /** When the memory band was entered or last acted on. */
  readonly bandSinceMs: number
  /** Since when the load has been low; null while it is not. */
  readonly lowSinceMs: number | null
}

export type SupervisorEvent =
  | WorkerToSupervisor
  | { type: 'reading.taken'; reading: Reading }
  | { type: 'pool.opened'; workers: number }
  | { type: 'pool.resized'; workers: number; slots: readonly SlotId[] }
  | { type: 'pool.closed' }

type Args = { context: SupervisorContext; event: SupervisorEvent }
type Of<T extends SupervisorEvent['type']> = Extract<SupervisorEvent, { type: T }>

export const readingOf = ({ event }: Args) => (event as Of<'reading.taken'>).reading
const slotOf = ({ event }: Args) => (event as Of<'start.requested'>).slot
/** Who was given leave and has not said how its start ended. */
const underWay = ({ context }: Args) => [...context.starting, ...context.launched]
const bandIs = (from: MemoryBand, to: MemoryBand) => (args: Args) =>
  memoryBand(args.context.policy.memory, from, readingOf(args).memoryRatio) === to
const hasDwelt = (args: Args) =>
  readingOf(args).atMs - args.context.bandSinceMs >= args.context.policy.memory.dwellMs
const recentCrashes = ({ context, event }: Args) =>
  crashesWithin(
    [...context.crashesMs, (event as Of<'worker.crashed'>).atMs],
    (event as Of<'worker.crashed'>).atMs,
    context.policy.periodMs,
  )
const lowFor = (args: Args) =>
  args.context.lowSinceMs === null ? 0 : readingOf(args).atMs - args.context.lowSinceMs
const isLow = (args: Args) =>
  wantsLess(args.context.policy.scaling, readingOf(args), args.context.size)
const silent = (args: Args) => silentWorkers(readingOf(args), args.context.policy.zombieAfterMs)
const oversized = (args: Args) => oversizedSlots(readingOf(args), args.context.policy.memory)
const bursting = (args: Args) => burstingWorkers(readingOf(args), args.context.policy.memory)
const isLowFrom = (wasLow: boolean) => (args: Args) =>
  isDiskLow(args.context.policy.diskFloorBytes, wasLow, readingOf(args).diskFreeBytes)

/** Whom each judgement is about. */
export const suspects = {
  silent,
  oversized,
  bursting,
  largestIdle: (args: Args) => {
    const worker = largestWorker(readingOf(args).workers, false)
    return worker === null ? [] : [worker.slot]
  },
  largest: (args: Args) => {
    const worker = largestWorker(readingOf(args).workers, true)
    return worker === null ? [] : [worker]
  },
}

/**
 * What the last step changes is seen before the next: nobody is on the way any more. Nor does it
 * grow on the very reading that shows that memory is short.
 */
const wantsOneMore = (args: Args) =>
  bandIs('normal', 'normal')(args) &&
  underWay(args).length + args.context.waiting.length === 0 &&
  wantsMore(args.context.policy.scaling, readingOf(args), args.context.size)

export const supervisorGuards = {
  mayStart: ({ context }: Args) => context.starting.length < context.policy.maxStarting,
  isNextWaiting: ({ context }: Args) => context.waiting.length > 0,
  mayStartNext: ({ context }: Args) =>
    context.waiting.length > 0 && context.starting.length < context.policy.maxStarting,
  isStarting: (args: Args) => args.context.starting.includes(slotOf(args)),
  isNextWaitingForStarter: (args: Args) =>
    args.context.starting.includes(slotOf(args)) && args.context.waiting.length > 0,
  isProbe: (args: Args) => underWay(args).includes(slotOf(args)),
  isProbeReady: (args: Args) =>
    underWay(args).includes(slotOf(args)) && (args.event as Of<'start.ended'>).ready,
  isProbing: (args: Args) => underWay(args).length > 0,
  exceedsIntensity: (args: Args) => recentCrashes(args).length > args.context.policy.intensity,
  entersPressure: bandIs('normal', 'pressure'),
  entersCritical: bandIs('normal', 'critical'),
  risesToCritical: bandIs('pressure', 'critical'),
  calms: (args: Args) => hasDwelt(args) && bandIs('pressure', 'normal')(args),
  easesToNormal: (args: Args) => hasDwelt(args) && bandIs('critical', 'normal')(args),
  easesToPressure: (args: Args) => hasDwelt(args) && bandIs('critical', 'pressure')(args),
  mayRelieve: (args: Args) => hasDwelt(args) && suspects.largestIdle(args).length > 0,
  mayShed: (args: Args) => hasDwelt(args) && suspects.largest(args).length > 0,
  mayGiveBack: (args: Args) =>
    hasDwelt(args) && mayGiveBack(args.context.policy.scaling, args.context.size),
  isSilent: (args: Args) => silent(args).length > 0,
  isBurstingAndOversized: (args: Args) => bursting(args).length > 0 && oversized(args).length > 0,
  isBursting: (args: Args) => bursting(args).length > 0,
  runsLow: isLowFrom(false),
  hasRoomAgain: (args: Args) => !isLowFrom(true)(args),
  isOversized: (args: Args) => oversized(args).length > 0,
  mayGrow: and<
    SupervisorContext,
    SupervisorEvent,
    [typeof wantsOneMore, ReturnType<typeof stateIn>]
  >([wantsOneMore, stateIn({ memory: 'normal' })]),
  mayShrink: (args: Args) =>
    isLow(args) &&
    lowFor(args) >= args.context.policy.scaling.idleMs &&
    args.context.lowSinceMs !== null,
  isLowNow: (args: Args) => isLow(args) && args.context.lowSinceMs === null,
  isLowStill: isLow,
  areReadingsMissing: stateIn<SupervisorContext, SupervisorEvent, undefined>({
    readings: 'missing',
  }),
  lacksAll: (args: Args) => readingOf(args).ready === 0 && args.context.size > 0,
  lacksSome: (args: Args) => readingOf(args).ready < args.context.size,
}

const change = (update: (args: Args) => Partial<SupervisorContext>) =>
  assign<SupervisorContext, SupervisorEvent, undefined, SupervisorEvent, never>(update)
const without = (slots: readonly SlotId[], slot: SlotId) => slots.filter((other) => other !== slot)

export const supervisorUpdates = {
  noteStarting: change((args) => ({ starting: [...args.context.starting, slotOf(args)] })),
  noteWaiting: change((args) => ({ waiting: [...args.context.waiting, slotOf(args)] })),
  noteLaunched: change((args) => ({
    starting: without(args.context.starting, slotOf(args)),
    launched: [...args.context.launched, slotOf(args)],
  })),
  noteStartEnded: change((args) => ({
    starting: without(args.context.starting, slotOf(args)),
    launched: without(args.context.launched, slotOf(args)),
    waiting: without(args.context.waiting, slotOf(args)),
  })),
  startNext: change(({ context }) => ({
    starting: [...context.starting, ...context.waiting.slice(0, 1)],
    waiting: context.waiting.slice(1),
  })),
  noteCrash: change((args) => ({ crashesMs: recentCrashes(args) })),
  forgetCrashes: change(() => ({ crashesMs: [] })),
  noteBand: change((args) => ({ bandSinceMs: readingOf(args).atMs })),
  noteLow: change((args) => ({ lowSinceMs: readingOf(args).atMs })),
  forgetLow: change(() => ({ lowSinceMs: null })),
  noteSize: change(({ event }) => ({ size: (event as Of<'pool.opened'>).workers })),
  /** Nobody starts any more that will be told to stop in the same breath. */
  forgetUnwanted: change(({ context, event }) => ({
    waiting: context.waiting.filter((slot) => (event as Of<'pool.resized'>).slots.includes(slot)),
  })),
  forgetStarts: change(() => ({ waiting: [], starting: [], launched: [], crashesMs: [] })),
}

export const supervisorDelays = {
  breakerCooldown: ({ context }: Args) => context.policy.cooldownMs,
  probeTimeout: ({ context }: Args) => context.policy.periodMs,
  readingTimeout: ({ context }: Args) => context.policy.readingTimeoutMs,
  scaleCooldown: ({ context }: Args) => context.policy.scaleCooldownMs,
}
