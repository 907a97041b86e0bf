/**
 * The matrix of fault × moment: every cell is either played or has a reason why there is nothing to play. Data only;
 * `fault-cell.ts` plays it. Frames that lie are not in it: task code has no way to send one; see fuzz/frames.test.ts.
 */
import type { ForkRefusal } from './fault-fork.ts'
import type { Injection } from './fault-plan.ts'

/**
 * `recycling` is three moments: the process that serves while its successor starts, the successor, and the one that
 * has been replaced and ends its last task.
 */
export const MOMENTS = [
  'forking',
  'launching',
  'idle',
  'busy',
  'recycling',
  'succeeding',
  'retiring',
  'stopping',
] as const
export type Moment = (typeof MOMENTS)[number]
/** Those at which a process is on its way out, or another is to take its place. */
export const LEAVING: readonly Moment[] = ['recycling', 'succeeding', 'retiring', 'stopping']

/** What becomes of the process. */
type Effect =
  /** It ends by itself, like this. */
  | { readonly kind: 'dies'; readonly code: number | null; readonly signal: string | null }
  /** It says nothing any more, until it is killed for that. */
  | { readonly kind: 'silent' }
  /** It goes on. */
  | { readonly kind: 'survives' }
  /** It never comes to be. */
  | { readonly kind: 'unborn'; readonly code: ForkRefusal }
  /** It lives, and what it was asked for never ends. */
  | { readonly kind: 'hangs' }

interface Fault {
  readonly name: string
  readonly inject: Injection | null
  readonly effect: Effect
  /** Moments at which there is nothing to play, and why. */
  readonly senseless: Partial<Readonly<Record<Moment, string>>>
}

const dies = (code: number | null, signal: string | null = null): Effect => ({
  kind: 'dies',
  code,
  signal,
})
const silent: Effect = { kind: 'silent' }
const survives: Effect = { kind: 'survives' }
const everywhere = {}

const NO_FORK = 'no process is forked then'
const unborn = (code: ForkRefusal): Fault => ({
  name: `fork failure ${code}`,
  // Forking, that is the worker's process; launching, it is the browser's.
  inject: code === 'ENOENT' || code === 'EAGAIN' ? code : null,
  effect: { kind: 'unborn', code },
  senseless: {
    idle: NO_FORK,
    busy: NO_FORK,
    recycling: 'the process that serves is forked already; see succeeding',
    retiring: NO_FORK,
    stopping: NO_FORK,
    ...(code === 'ENOENT' || code === 'EAGAIN'
      ? {}
      : { launching: 'as EAGAIN: to a session, every error but ENOENT and EACCES is the same' }),
  },
})

export const FAULTS: readonly Fault[] = [
  { name: 'SIGKILL', inject: 'SIGKILL', effect: dies(null, 'SIGKILL'), senseless: everywhere },
  { name: 'SIGSTOP', inject: 'SIGSTOP', effect: silent, senseless: everywhere },
  { name: 'SIGTERM ignored', inject: 'SIGTERM', effect: survives, senseless: everywhere },
  { name: 'exit 0', inject: 'exit 0', effect: dies(0), senseless: everywhere },
  { name: 'exit 9', inject: 'exit 9', effect: dies(9), senseless: everywhere },
  { name: 'exception', inject: 'exception', effect: dies(70), senseless: everywhere },
  { name: 'while(true)', inject: 'spin', effect: silent, senseless: everywhere },
  {
    name: 'closed channel',
    inject: 'disconnect',
    effect: dies(null, 'SIGKILL'),
    senseless: everywhere,
  },
  unborn('ENOENT'),
  unborn('EAGAIN'),
  unborn('EMFILE'),
  unborn('E2BIG'),
  {
    name: 'hung start',
    inject: 'hang',
    effect: { kind: 'hangs' },
    senseless: {
      idle: 'it has started',
      busy: 'it has started',
      recycling: 'the process that serves has started; see succeeding',
      retiring: 'it has started',
    },
  },
  {
    name: 'hung close',
    inject: 'hang',
    effect: { kind: 'hangs' },
    senseless: {
      forking: 'no session is open yet that could be closed',
      launching: 'a start that is given up is killed, not closed; see hung start, stopping',
      idle: 'nothing is closed then',
      busy: 'nothing is closed then',
      recycling: 'the process that serves is not closed before it is replaced; see retiring',
      succeeding: 'a successor that is given up is killed, not closed',
    },
  },
]

export interface Cell {
  readonly fault: Fault
  readonly moment: Moment
}

const allCells = FAULTS.flatMap((fault) => MOMENTS.map((moment): Cell => ({ fault, moment })))

export const CELLS = allCells.filter(({ fault, moment }) => fault.senseless[moment] === undefined)
/** What is not played: the fault, the moment, the reason. */
export const SENSELESS = allCells.flatMap(({ fault, moment }) => {
  const reason = fault.senseless[moment]
  return reason === undefined ? [] : [[fault.name, moment, reason] as const]
})
