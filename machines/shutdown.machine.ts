/**
 * How a pool ends: drain → stop → terminate → kill → sweep. Every state has a deadline, so it
 * always ends; a second signal jumps to the killing.
 */
import { assign, setup } from 'xstate'
import { port } from './port.ts'
import { ignore } from './protocol.ts'

export interface ShutdownPolicy {
  readonly drainTimeoutMs: number
  readonly stopTimeoutMs: number
  readonly terminateTimeoutMs: number
  readonly killTimeoutMs: number
  readonly sweepTimeoutMs: number
}
interface ShutdownContext {
  readonly policy: ShutdownPolicy
  /** False when a process could not be confirmed gone, or the run folder not removed. */
  readonly clean: boolean
}
export type ShutdownEvent =
  | { type: 'shutdown.begin'; force: boolean }
  | { type: 'shutdown.force' }
  /** No task runs any more. */
  | { type: 'ledger.calmed' }
  | { type: 'workers.gone' }
  | { type: 'run.swept' }
  /** After a defect the run is ended without it. */
  | { type: 'run.aborted' }
export type ShutdownToLedger =
  /** Refuse what comes, cancel what waits, let what runs end. */
  | { type: 'intake.close' }
  /** Cancel everything. */
  | { type: 'tasks.cancelAll' }
export type ShutdownToPool =
  | { type: 'workers.end'; how: 'stop' | 'terminate' | 'kill' }
  | { type: 'shutdown.finished'; clean: boolean }

type Args = { context: ShutdownContext; event: ShutdownEvent }
const closeIntake = {
  type: 'ledger.send',
  params: (): ShutdownToLedger => ({ type: 'intake.close' }),
} as const
const cancelAll = {
  type: 'ledger.send',
  params: (): ShutdownToLedger => ({ type: 'tasks.cancelAll' }),
} as const
const endWorkers = (how: 'stop' | 'terminate' | 'kill') =>
  ({ type: 'pool.send', params: (): ShutdownToPool => ({ type: 'workers.end', how }) }) as const
const begin = [
  {
    guard: 'isForced',
    target: 'killing',
    actions: ['noteClean', closeIntake, cancelAll],
  },
  { target: 'draining', actions: 'noteClean' },
] as const

export const shutdownMachine = setup({
  types: {
    context: {} as ShutdownContext,
    events: {} as ShutdownEvent,
    input: {} as { policy: ShutdownPolicy },
  },
  guards: {
    isForced: ({ event }: Args) => event.type === 'shutdown.begin' && event.force,
  },
  delays: {
    drainTimeout: ({ context }) => context.policy.drainTimeoutMs,
    stopTimeout: ({ context }) => context.policy.stopTimeoutMs,
    terminateTimeout: ({ context }) => context.policy.terminateTimeoutMs,
    killTimeout: ({ context }) => context.policy.killTimeoutMs,
    sweepTimeout: ({ context }) => context.policy.sweepTimeoutMs,
  },
  actions: {
    noteClean: assign({ clean: true }),
    noteUnclean: assign({ clean: false }),
    'ledger.send': port<ShutdownToLedger>('ledger.send'),
    'pool.send': port<ShutdownToPool>('pool.send'),
    'run.sweep': port('run.sweep'),
    'event.unexpected': port('event.unexpected'),
  },
}).createMachine({
  id: 'shutdown',
  description: 'How a pool ends. It always does.',
  initial: 'armed',
  context: ({ input }) => ({ policy: input.policy, clean: true }),
  on: { 'run.aborted': { target: '.armed' }, '*': { actions: 'event.unexpected' } },
  states: {
    armed: {
      description: 'Nobody has asked for the end yet.',
      on: {
        'shutdown.begin': begin,
        ...ignore('shutdown.force', 'ledger.calmed', 'workers.gone', 'run.swept'),
      },
    },
    draining: {
      description: 'Waiting tasks are cancelled, running ones may end.',
      entry: closeIntake,
      after: { drainTimeout: { target: 'stopping' } },
      on: {
        'ledger.calmed': { target: 'stopping' },
        'shutdown.force': { target: 'killing', actions: cancelAll },
        ...ignore('shutdown.begin', 'workers.gone', 'run.swept'),
      },
    },
    stopping: {
      description: 'What still runs is aborted; workers close their sessions and exit.',
      entry: [cancelAll, endWorkers('stop')],
      after: { stopTimeout: { target: 'terminating' } },
      on: {
        'workers.gone': { target: 'sweeping' },
        'shutdown.force': { target: 'killing' },
        ...ignore('shutdown.begin', 'ledger.calmed', 'run.swept'),
      },
    },
    terminating: {
      description: 'What has not exited is sent SIGTERM.',
      entry: endWorkers('terminate'),
      after: { terminateTimeout: { target: 'killing' } },
      on: {
        'workers.gone': { target: 'sweeping' },
        'shutdown.force': { target: 'killing' },
        ...ignore('shutdown.begin', 'ledger.calmed', 'run.swept'),
      },
    },
    killing: {
      description: 'What is left is sent SIGKILL, with its whole process group.',
      entry: endWorkers('kill'),
      after: { killTimeout: { target: 'sweeping', actions: 'noteUnclean' } },
      on: {
        'workers.gone': { target: 'sweeping' },
        ...ignore('shutdown.begin', 'shutdown.force', 'ledger.calmed', 'run.swept'),
      },
    },
    sweeping: {
      description: 'No process is left: the last tasks are settled, the run folder is removed.',
      entry: [cancelAll, 'run.sweep'],
      after: { sweepTimeout: { target: 'done', actions: 'noteUnclean' } },
      on: {
        'run.swept': { target: 'done' },
        ...ignore('shutdown.begin', 'shutdown.force', 'ledger.calmed', 'workers.gone'),
      },
    },
    done: {
      description: 'Over. The pool may be started and ended again.',
      entry: {
        type: 'pool.send',
        params: ({ context }: Args): ShutdownToPool => ({
          type: 'shutdown.finished',
          clean: context.clean,
        }),
      },
      on: {
        'shutdown.begin': begin,
        ...ignore('shutdown.force', 'ledger.calmed', 'workers.gone', 'run.swept'),
      },
    },
  },
})
