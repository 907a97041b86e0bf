/**
 * What the worker machine knows and how it judges: its context, its events, its guards and its
 * updates. Apart from `worker.ts` so that the machine itself reads as a picture.
 */
import { and, assign, not, or, raise, stateIn } from 'xstate'
import { type Backoff, backoffMs, isBlameless, isPlanned } from './policy.ts'
import type {
  Assignment,
  SerializedError,
  ExitCause,
  ExitStatus,
  PortFailed,
  SlotId,
} from './protocol.ts'

/** The longest delay a timer can take. Stands for "never" where a limit is off. */
const NEVER_MS = 2 ** 31 - 1
/** Past this, the backoff grows no further. */
const MAX_FAILURES_COUNTED = 31

export interface WorkerPolicy {
  readonly startTimeoutMs: number
  readonly closeTimeoutMs: number
  readonly terminateTimeoutMs: number
  readonly killTimeoutMs: number
  readonly restart: Backoff
  /** This long without a failure, and the failures before are forgotten. */
  readonly resetBackoffAfterMs: number
  /** 0 is no limit. */
  readonly maxTasks: number
  readonly maxAgeMs: number
}

/** A process that takes, or took, tasks. */
interface Crew {
  readonly incarnation: number
  readonly inFlight: number
  readonly tasksRun: number
}

/** Why the current process is being ended. */
interface Ending {
  readonly cause: ExitCause
  readonly error: SerializedError | null
  /** Starting again would fail the same way. */
  readonly permanent: boolean
}

export interface WorkerContext {
  readonly slot: SlotId
  readonly policy: WorkerPolicy
  /** The newest process forked here. Only `current` and `outgoing` are listened to. */
  readonly incarnation: number
  readonly current: Crew | null
  /** The process on its way out, if there is one beside the current. */
  readonly outgoing:
    | (Crew & { readonly cause: ExitCause; readonly error: SerializedError | null })
    | null
  /** Failures in a row. */
  readonly failures: number
  /** Drawn by whoever reported the last exit, in [0, 1). */
  readonly random: number
  readonly ending: Ending | null
}

type Stamped<T extends string> = { type: T; incarnation: number }
export type WorkerEvent =
  | { type: 'worker.start' }
  /** Be started, but serve only when you are told to start. */
  | { type: 'worker.standBy' }
  | { type: 'worker.stop' }
  | { type: 'worker.terminate' }
  /** End it at once. `incarnation` null means whatever runs here. */
  | { type: 'worker.kill'; incarnation: number | null; cause: ExitCause; error?: SerializedError }
  /** `replace`: the next process is ready before this one goes. */
  | { type: 'worker.recycle'; cause: 'recycled' | 'memory'; replace: boolean }
  | { type: 'start.granted' }
  | Stamped<'process.loaded'>
  /** Its browser runs, and its login begins. */
  | Stamped<'session.launched'>
  | Stamped<'session.ready'>
  | (Stamped<'session.failed'> & { error: SerializedError; permanent: boolean })
  | (Stamped<'process.exited'> & {
      exit: ExitStatus
      error: SerializedError | null
      random: number
      atMs: number
    })
  | (Stamped<'tasks.assigned'> & { tasks: readonly Assignment[] })
  | (Stamped<'tasks.ended'> & { count: number })
  | Stamped<'retire.requested'>
  /** Something that was to be done with its process could not be. */
  | PortFailed
  /** Said by the machine to itself: a process is left behind beside the current one. */
  | (Stamped<'process.outgoing'> & {
      inFlight: number
      cause: ExitCause
      error: SerializedError | null
      gently: boolean
    })

type Args = { context: WorkerContext; event: WorkerEvent }
type Of<T extends WorkerEvent['type']> = Extract<WorkerEvent, { type: T }>

const stampOf = (event: WorkerEvent) => (event as { incarnation?: number | null }).incarnation
const isOfNewest = ({ context, event }: Args) => stampOf(event) === context.incarnation
const isOfCurrent = ({ context, event }: Args) => stampOf(event) === context.current?.incarnation
const isOfOutgoing = ({ context, event }: Args) => stampOf(event) === context.outgoing?.incarnation
const endsOf = (event: WorkerEvent) => (event as Of<'tasks.ended'>).count
const isDue = ({ context, event }: Args) =>
  context.outgoing === null &&
  context.policy.maxTasks > 0 &&
  (context.current?.tasksRun ?? 0) + endsOf(event) >= context.policy.maxTasks
const empties = (crew: Crew | null, event: WorkerEvent) => crew?.inFlight === endsOf(event)

/**
 * The one process an ending state waits for: the current, or the newest that never became current.
 */
const isOfEnding = ({ context, event }: Args) =>
  stampOf(event) === (context.current?.incarnation ?? context.incarnation)

/** One task was in it: that one is charged with its death, and the slot has not failed. */
const hadOneTask = (args: Args) => isOfEnding(args) && args.context.current?.inFlight === 1

const plainGuards = {
  isOfNewest,
  isOfCurrent,
  isOfOutgoing,
  isOfEnding,
  isAlone: ({ context }: Args) => context.outgoing === null,
  isIdle: ({ context }: Args) => (context.current?.inFlight ?? 0) === 0,
  isDueAndMayRecycle: (args: Args) => isOfCurrent(args) && isDue(args),
  isReplacing: ({ context, event }: Args) =>
    context.outgoing === null && (event as Of<'worker.recycle'>).replace,
  isOfCurrentAndMayRecycle: (args: Args) => isOfCurrent(args) && args.context.outgoing === null,
  isLastOfCurrent: (args: Args) => isOfCurrent(args) && empties(args.context.current, args.event),
  isLastOfOutgoing: (args: Args) =>
    isOfOutgoing(args) && empties(args.context.outgoing, args.event),
  killsEnding: (args: Args) => stampOf(args.event) === null || isOfEnding(args),
  killsCurrent: (args: Args) => stampOf(args.event) === null || isOfCurrent(args),
  killsOutgoing: (args: Args) => stampOf(args.event) === null || isOfOutgoing(args),
  hadOneTask,
  isKilledForItsTask: (args: Args) =>
    hadOneTask(args) && !isBlameless(args.context.ending?.cause ?? 'crashed', true),
  /** It served, and nothing had failed here for long: what happened once is not waited for. */
  isFirstLoss: (args: Args) => isOfCurrent(args) && args.context.failures === 0,
  hasNotFailed: ({ context }: Args) => context.failures === 0,
  isPermanentEnd: (args: Args) => isOfEnding(args) && args.context.ending?.permanent === true,
  isPlannedEnd: (args: Args) =>
    isOfEnding(args) && args.context.ending !== null && isPlanned(args.context.ending.cause),
  retiresBusy: ({ event }: Args) =>
    (event as Of<'process.outgoing'>).gently && (event as Of<'process.outgoing'>).inFlight > 0,
  retiresIdle: ({ event }: Args) => (event as Of<'process.outgoing'>).gently,
}

type JudgedInState = [typeof isOfEnding, ReturnType<typeof stateIn>]
const whileWanted = (judge: typeof isOfEnding, wanted: 'stopped' | 'standing') =>
  and<WorkerContext, WorkerEvent, JudgedInState>([judge, stateIn({ wanted })])

export const workerGuards = {
  ...plainGuards,
  isUnwantedEnd: whileWanted(isOfEnding, 'stopped'),
  hadOneTaskAndIsUnwanted: whileWanted(hadOneTask, 'stopped'),
  /** Who serves goes on serving, whatever place is meant for it later. */
  isNotServing: not<WorkerContext, WorkerEvent, ReturnType<typeof or>>(
    or([stateIn('#ready'), stateIn('#recycling')]),
  ),
  isNewestToStand: whileWanted(isOfNewest, 'standing'),
}

const ending = (cause: ExitCause) =>
  assign<WorkerContext, WorkerEvent, undefined, WorkerEvent, never>({
    ending: { cause, error: null, permanent: false },
  })
const change = (update: (args: Args) => Partial<WorkerContext>) =>
  assign<WorkerContext, WorkerEvent, undefined, WorkerEvent, never>(update)
const retire = (make: (args: Args) => Omit<Of<'process.outgoing'>, 'type'>) =>
  raise<WorkerContext, WorkerEvent, WorkerEvent, undefined, never>((args) => ({
    type: 'process.outgoing',
    ...make(args),
  }))

/** A successor that is given up. */
const retiredNewest = (
  context: WorkerContext,
  cause: ExitCause,
  error: SerializedError | null = null,
) => ({
  incarnation: context.incarnation,
  inFlight: 0,
  cause,
  error,
  gently: false,
})

export const workerUpdates = {
  /** Whatever ended the one before says nothing of this one. */
  countIncarnation: change(({ context }) => ({
    incarnation: context.incarnation + 1,
    ending: null,
  })),
  takeNewest: change(({ context }) => ({
    current: { incarnation: context.incarnation, inFlight: 0, tasksRun: 0 },
    ending: null,
  })),
  countAssigned: change(({ context, event }) => ({
    current: context.current && {
      ...context.current,
      inFlight: context.current.inFlight + (event as Of<'tasks.assigned'>).tasks.length,
    },
  })),
  countEnded: change(({ context, event }) => ({
    current: context.current && {
      ...context.current,
      inFlight: context.current.inFlight - endsOf(event),
      tasksRun: context.policy.maxTasks > 0 ? context.current.tasksRun + endsOf(event) : 0,
    },
  })),
  countOutgoingEnded: change(({ context, event }) => ({
    outgoing: context.outgoing && {
      ...context.outgoing,
      inFlight: context.outgoing.inFlight - endsOf(event),
    },
  })),
  forgetCurrent: change(() => ({ current: null })),
  forgetOutgoing: change(() => ({ outgoing: null })),
  forgetFailures: change(() => ({ failures: 0, ending: null })),
  countFailure: change(({ context, event }) => ({
    failures: Math.min(context.failures + 1, MAX_FAILURES_COUNTED),
    random: (event as Of<'process.exited'>).random,
    ending: context.ending ?? {
      cause: 'crashed',
      error: (event as Of<'process.exited'>).error,
      permanent: false,
    },
  })),
  /** The process that serves is not concerned: only the next try has to wait. */
  countSuccessorFailure: change(({ context, event }) => ({
    failures: Math.min(context.failures + 1, MAX_FAILURES_COUNTED),
    random: event.type === 'process.exited' ? event.random : context.random,
  })),
  endStopped: ending('stopped'),
  endRecycled: ending('recycled'),
  endStartTimedOut: ending('startTimedOut'),
  endAsOrdered: change(({ event }) => {
    const { cause, error = null } = event as Of<'worker.kill'>
    return { ending: { cause, error, permanent: false } }
  }),
  endStartFailed: change(({ event }) => ({
    ending: {
      cause: 'startFailed',
      error: (event as Of<'session.failed'>).error,
      permanent: (event as Of<'session.failed'>).permanent,
    },
  })),
  endPortFailed: change(({ event }) => ({
    ending: { cause: 'crashed', error: (event as Of<'port.failed'>).error, permanent: false },
  })),
  noteOutgoing: change(({ event }) => {
    const { incarnation, inFlight, cause, error } = event as Of<'process.outgoing'>
    return { outgoing: { incarnation, inFlight, tasksRun: 0, cause, error } }
  }),
  noteOutgoingKilled: change(({ context, event }) => ({
    outgoing: context.outgoing && {
      ...context.outgoing,
      cause: 'cause' in event ? event.cause : context.outgoing.cause,
      error: 'error' in event ? (event.error ?? null) : context.outgoing.error,
    },
  })),
  retireCurrentGently: retire(({ context }) => ({
    incarnation: context.current?.incarnation ?? 0,
    inFlight: context.current?.inFlight ?? 0,
    cause: 'recycled',
    error: null,
    gently: true,
  })),
  retireNewest: retire(({ context }) => retiredNewest(context, 'stopped')),
  retireTimedOut: retire(({ context }) => retiredNewest(context, 'startTimedOut')),
  retireAsOrdered: retire(({ context, event }) => {
    const { cause, error } = event as Of<'worker.kill'>
    return retiredNewest(context, cause, error)
  }),
  leavePortFailed: retire(({ context, event }) =>
    retiredNewest(context, 'crashed', (event as Of<'port.failed'>).error),
  ),
  retireFailed: retire(({ context, event }) =>
    retiredNewest(context, 'startFailed', (event as Of<'session.failed'>).error),
  ),
}

export const workerDelays = {
  startTimeout: ({ context }: Args) => context.policy.startTimeoutMs,
  closeTimeout: ({ context }: Args) => context.policy.closeTimeoutMs,
  terminateTimeout: ({ context }: Args) => context.policy.terminateTimeoutMs,
  killTimeout: ({ context }: Args) => context.policy.killTimeoutMs,
  restartBackoff: ({ context }: Args) =>
    backoffMs(context.policy.restart, Math.max(context.failures, 1), context.random),
  resetBackoffAfter: ({ context }: Args) => context.policy.resetBackoffAfterMs,
  maxAge: ({ context }: Args) => context.policy.maxAgeMs || NEVER_MS,
}
