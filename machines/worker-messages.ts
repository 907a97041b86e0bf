/**
 * What a worker says to the others, as ready-made command actions. Apart from `worker.ts` so that
 * its transitions read as sentences.
 */
import type { WorkerContext, WorkerEvent } from './worker.setup.ts'
import type { SerializedError, ExitCause, ExitStatus, SlotId } from './protocol.ts'

export interface ProcessId {
  readonly slot: SlotId
  readonly incarnation: number
}
export type WorkerToLedger =
  /** Takes tasks from now on. */
  | ({ type: 'worker.opened' } & ProcessId)
  /** Takes no more tasks; those it has may still end. */
  | ({ type: 'worker.closed' } & ProcessId)
  /** Confirmed gone: what it had not ended will never end by itself. */
  | ({
      type: 'worker.exited'
      cause: ExitCause
      exit: ExitStatus
      error: SerializedError | null
    } & ProcessId)
export type WorkerToPool =
  | { type: 'worker.ready'; slot: SlotId }
  /** It stands by: started, and it will serve the moment it is told to. */
  | { type: 'worker.warmed'; slot: SlotId }
  /** It was ready or stood by, and is not any more. */
  | { type: 'worker.lost'; slot: SlotId }
  /** Its process failed; it will be started again. */
  | { type: 'worker.troubled'; slot: SlotId; error: SerializedError }
  | { type: 'worker.failed'; slot: SlotId; error: SerializedError }
  | { type: 'worker.stopped'; slot: SlotId }
export type WorkerToSupervisor =
  | { type: 'start.requested'; slot: SlotId }
  | { type: 'start.withdrawn'; slot: SlotId }
  /** Its browser runs: what is left of its start waits for others, not for a core. */
  | { type: 'start.launched'; slot: SlotId }
  | { type: 'start.ended'; slot: SlotId; ready: boolean }
  | { type: 'worker.crashed'; slot: SlotId; atMs: number }

type Args = { context: WorkerContext; event: WorkerEvent }
const UNKNOWN: SerializedError = {
  code: 'WORKER_LOST',
  message: 'its process ended without a word',
}

export const newest = ({ context }: Args): ProcessId => ({
  slot: context.slot,
  incarnation: context.incarnation,
})
/** The process the slot serves with, or the one that was to be it. */
export const current = ({ context }: Args): ProcessId => ({
  slot: context.slot,
  incarnation: context.current?.incarnation ?? context.incarnation,
})
export const outgoing = ({ context }: Args): ProcessId => ({
  slot: context.slot,
  incarnation: context.outgoing?.incarnation ?? 0,
})

const ledger = (make: (args: Args) => WorkerToLedger) =>
  ({ type: 'ledger.send', params: make }) as const
const pool = (type: 'worker.ready' | 'worker.warmed' | 'worker.lost' | 'worker.stopped') =>
  ({
    type: 'pool.send',
    params: ({ context }: Args): WorkerToPool => ({ type, slot: context.slot }),
  }) as const
const supervisor = (make: (args: Args) => WorkerToSupervisor) =>
  ({ type: 'supervisor.send', params: make }) as const

export const send = {
  opened: ledger((args) => ({ type: 'worker.opened', ...current(args) })),
  closed: ledger((args) => ({ type: 'worker.closed', ...current(args) })),
  currentExited: ledger((args) => {
    const { ending } = args.context
    return exited(args, current(args), ending?.cause ?? 'crashed', ending?.error)
  }),
  currentCrashed: ledger((args) => exited(args, current(args), 'crashed')),
  outgoingExited: ledger((args) => {
    const left = args.context.outgoing
    return exited(args, outgoing(args), left?.cause ?? 'recycled', left?.error)
  }),
  outgoingCrashed: ledger((args) => exited(args, outgoing(args), 'crashed')),
  /** A successor that never served. */
  newestExited: ledger((args) => exited(args, newest(args), 'crashed')),
  ready: pool('worker.ready'),
  warmed: pool('worker.warmed'),
  lost: pool('worker.lost'),
  stopped: pool('worker.stopped'),
  failed: {
    type: 'pool.send',
    params: ({ context }: Args): WorkerToPool => ({
      type: 'worker.failed',
      slot: context.slot,
      error: context.ending?.error ?? UNKNOWN,
    }),
  },
  troubled: {
    type: 'pool.send',
    params: ({ context }: Args): WorkerToPool => ({
      type: 'worker.troubled',
      slot: context.slot,
      error: context.ending?.error ?? UNKNOWN,
    }),
  },
  startRequested: supervisor(({ context }) => ({ type: 'start.requested', slot: context.slot })),
  startWithdrawn: supervisor(({ context }) => ({ type: 'start.withdrawn', slot: context.slot })),
  startLaunched: supervisor(({ context }) => ({ type: 'start.launched', slot: context.slot })),
  startEnded: supervisor(({ context }) => ({
    type: 'start.ended',
    slot: context.slot,
    ready: true,
  })),
  startFailed: supervisor(({ context }) => ({
    type: 'start.ended',
    slot: context.slot,
    ready: false,
  })),
  crashed: supervisor(({ context, event }) => ({
    type: 'worker.crashed',
    slot: context.slot,
    atMs: event.type === 'process.exited' ? event.atMs : 0,
  })),
} as const

function exited(
  { event }: Args,
  process: ProcessId,
  cause: ExitCause,
  reason: SerializedError | null = null,
): WorkerToLedger {
  const seen = event.type === 'process.exited' ? event : null
  return {
    type: 'worker.exited',
    ...process,
    cause,
    exit: seen?.exit ?? { code: null, signal: null },
    error: seen?.error ?? reason,
  }
}
