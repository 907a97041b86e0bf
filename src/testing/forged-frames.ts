/**
 * Frames that no worker sends, made of one that it does: another shape, another type, another order,
 * another sender. Each is a violation, whatever the pool has told the process: nothing in it may have
 * an effect.
 */
import type { Frame, Report } from '../process/ipc/protocol.ts'
import type { SeededRandom } from './simulation/seeded-random.ts'

type Fields = Record<string, unknown>
/** Makes another frame of one. `foreign` names no attempt of the process of `slot`, which sends it. */
export type Forge = (
  frame: Frame<Report>,
  foreign: number,
  random: SeededRandom,
  slot: string,
) => unknown

/** What there is in the place of a number, a text, a list. */
const ODD: readonly unknown[] = [
  null,
  undefined,
  true,
  -1,
  0.5,
  2 ** 53,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  '1',
  '__proto__',
  10n,
  [],
  [null],
  {},
  { length: 3 },
  new Map([['kind', 'ended']]),
  new Date(0),
  new Uint8Array(3),
]

const ERROR = { code: 'TASK_FAILED', message: 'forged' }
const ended = (token: unknown, rest: Fields = {}): Fields => ({
  kind: 'ended',
  token,
  runMs: 1,
  verdict: 'ok',
  value: 'forged',
  ...rest,
})
const loaded = (rest: Fields = {}): Fields => ({
  kind: 'loaded',
  tasks: [{ name: 'forged', browser: false }],
  sessions: [{ name: 'default', baseProfile: null }],
  ...rest,
})

/** By what each forges; `foreign` names no attempt of the process that sends it. */
const FORGERIES: Readonly<Record<string, (foreign: number, odd: unknown) => unknown>> = {
  kind: (_, odd) => ({ kind: odd }),
  'no record': (_, odd) => (isRecord(odd) ? [odd] : odd),
  'level of a log line': () => ({ kind: 'log', level: 'toString', message: 'forged', fields: {} }),
  'fields of a log line': () => ({ kind: 'log', level: 'info', message: 'forged', fields: null }),
  'tasks that are null': () => loaded({ tasks: [null] }),
  'no tasks': () => loaded({ tasks: [] }),
  'a task twice': () =>
    loaded({ tasks: ['forged', 'forged'].map((name) => ({ name, browser: true })) }),
  'sessions that are none': (_, odd) => loaded({ sessions: odd }),
  "another's attempt": (foreign) => ended(foreign),
  "another's start": (foreign) => ({ kind: 'started', token: foreign }),
  "another's progress": (foreign) => ({ kind: 'progress', token: foreign, progress: 'forged' }),
  'an attempt by its old name': () => ({
    kind: 'ended',
    taskId: 'task-1',
    attempt: 1,
    runMs: 1,
    verdict: 'ok',
    value: 'forged',
  }),
  'a token of another type': (foreign, odd) => ended(odd === undefined ? foreign : odd),
  'a verdict': (foreign) => ended(foreign, { verdict: 'constructor' }),
  'an error with a value': (foreign) => ended(foreign, { verdict: 'retryable', error: ERROR }),
  'a failure without error': (foreign) => ended(foreign, { verdict: 'permanent' }),
  'an odd error': (foreign, odd) =>
    ended(foreign, { verdict: 'retryable', value: undefined, error: { ...ERROR, message: [odd] } }),
  'a field too many': () => ({ kind: 'heartbeat', rssBytes: 1, slot: 'worker-2' }),
  'a size': () => ({ kind: 'heartbeat', rssBytes: Number.NaN }),
  'a browser': () => ({ kind: 'sessionReady', browserPid: 1 }),
  'a loss': (_, odd) => ({ kind: 'browserLost', browserPid: odd }),
  'a failure of the session': (_, odd) => ({ kind: 'sessionFailed', error: odd, permanent: true }),
}

const NAMES = Object.keys(FORGERIES)

/** A frame that no worker sends. `foreign` names no attempt of the process that sends it. */
export const forgedFrame: Forge = (frame, foreign, random) => {
  const odd = random.pick(ODD)
  switch (random.int(0, 9)) {
    case 0:
      return isRecord(odd) ? { ...odd, items: frame.items } : odd
    case 1:
      return { ...frame, incarnation: frame.incarnation + random.pick([-1, 1, 0.5]) }
    case 2:
      return { ...frame, items: Array.isArray(odd) ? null : odd }
    case 3:
      return { ...frame, items: [...frame.items, loaded(), loaded()] }
    default: {
      const forge = FORGERIES[random.pick(NAMES)] as (foreign: number, odd: unknown) => unknown
      const items: unknown[] = [...frame.items]
      items.splice(random.int(0, items.length), 0, forge(foreign, odd))
      return { ...frame, items }
    }
  }
}

function isRecord(value: unknown): value is Fields {
  return Object.prototype.toString.call(value) === '[object Object]'
}
