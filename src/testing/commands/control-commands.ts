/**
 * Commands that steer a pool: pause, resume, scale, drain, shut down, start, recover, group limits,
 * signals; and what happens to one: time passes, a fault strikes. Each says what must come of it.
 */
import type { Arbitrary } from 'fast-check'
import type { FastCheck } from '../arbitraries.ts'
import type { FaultName } from '../simulation/faults.ts'
import type { PoolPhase, Top } from './driven-pool.ts'
import { type CommandedPool, type PoolOracle } from './pool-oracle.ts'
import { topOf } from './pool-phases.ts'
import { commandOf, type PoolCommand } from './task-commands.ts'

/** Where a command is taken; elsewhere it is STATE_INVALID. */
const TAKEN = {
  pause: ['running', 'draining'],
  resume: ['paused', 'pausedDraining'],
  recover: ['error'],
  drain: ['starting', 'running', 'draining', 'pausedDraining'],
  scale: ['idle', 'starting', 'running', 'draining', 'paused', 'pausedDraining'],
} as const satisfies Record<string, readonly PoolPhase[]>
/** Where it leads. */
const LEADS = { pause: 'paused', resume: 'running', recover: 'idle' } as const

type Control = keyof typeof TAKEN

/** How many workers there may be. */
export interface Sizes {
  readonly least: number
  readonly most: number
}

export function waiting(fc: FastCheck, maxMs: number): Arbitrary<PoolCommand> {
  const ms = fc.oneof(
    fc.integer({ min: 1, max: Math.min(20, maxMs) }),
    fc.integer({ min: 1, max: Math.min(200, maxMs) }),
    fc.integer({ min: 1, max: maxMs }),
  )
  return ms.map((waitMs) =>
    commandOf(
      `wait ${waitMs} ms`,
      () => true,
      (_, { scenario }) => scenario.advance(waitMs),
    ),
  )
}

/** `pause`, `resume` and `recover`: done at once, or refused. */
export function turning(fc: FastCheck, what: keyof typeof LEADS): Arbitrary<PoolCommand> {
  return boldly(fc, what, what, (oracle, { pool }) => {
    const expected = refusalOf(oracle, what)
    const isDone = oracle.attempt(what, expected, () => pool[what](), { to: [LEADS[what]] })
    if (isDone) requireTop(oracle, pool.status().state, [LEADS[what]])
  })
}

export function scaling(fc: FastCheck, { least, most }: Sizes): Arbitrary<PoolCommand> {
  return fc
    .tuple(fc.integer({ min: least, max: most }), fc.nat({ max: 9 }))
    .map(([workers, boldness]) =>
      commandOf(
        `scale ${workers}`,
        (oracle) => boldness === 0 || refusalOf(oracle, 'scale') === null,
        (oracle, { pool }) =>
          oracle.promise('scale', () => pool.scale(workers), {
            expected: refusalOf(oracle, 'scale'),
          }),
      ),
    )
}

/** Never above `most`; one below `least` is refused. */
export function scalingBy(fc: FastCheck, sizes: Sizes, by: 1 | -1): Arbitrary<PoolCommand> {
  const what = by === 1 ? 'scaleUp' : 'scaleDown'
  return boldly(fc, 'scale', what, async (oracle, { pool }) => {
    const { context } = pool.getSnapshot() as { readonly context: { readonly size: number } }
    const size = context.size + by
    if (size > sizes.most) return
    await oracle.promise(what, () => pool[what](), {
      expected: size < sizes.least ? 'CONFIG_INVALID' : refusalOf(oracle, 'scale'),
    })
  })
}

export function limitingGroups(fc: FastCheck): Arbitrary<PoolCommand> {
  return fc.tuple(fc.constantFrom('a', 'b'), fc.constantFrom(1, 2, 1, 0)).map(([group, limit]) =>
    commandOf(
      `setGroupLimit ${group} ${limit}`,
      () => true,
      (oracle, { pool }) => {
        oracle.limit(group, limit)
        oracle.attempt('setGroupLimit', null, () => pool.setGroupLimit(group, limit))
      },
    ),
  )
}

export function draining(fc: FastCheck): Arbitrary<PoolCommand> {
  return boldly(fc, 'drain', 'drain', (oracle, { pool }) => {
    const before = oracle.tasks.unended()
    return oracle.promise('drain', () => pool.drain(), {
      expected: refusalOf(oracle, 'drain'),
      // A drain that waits for the start may find that there is none.
      late: oracle.phase === 'starting' ? ['STATE_INVALID'] : [],
      onSettled: (code) => {
        const isUp = oracle.phase !== 'stopping' && oracle.phase !== 'error'
        const left = before.filter((id) => !oracle.tasks.hasEnded(id))
        if (code === null && isUp && left.length > 0) {
          oracle.report(`drain is over, and ${left.join(', ')} have not ended`)
        }
      },
    })
  })
}

export function accepting(fc: FastCheck): Arbitrary<PoolCommand> {
  return fc.constant(
    commandOf(
      'accepting',
      ({ intakeRefusal }) => intakeRefusal === null,
      (oracle, { pool }) =>
        oracle.promise('accepting', () => pool.accepting(), {
          expected: oracle.intakeRefusal,
          late: oracle.roomRefusal(1) === null ? [] : ['POOL_CLOSED', 'DRAINING'],
        }),
    ),
  )
}

export function shuttingDown(fc: FastCheck): Arbitrary<PoolCommand> {
  return fc.record({ force: fc.boolean(), isAwaited: fc.boolean() }).map(({ force, isAwaited }) =>
    commandOf(
      `shutdown${force ? ' by force' : ''}${isAwaited ? ', awaited' : ''}`,
      ({ phase }) => phase !== 'idle',
      async (oracle, { pool }) => {
        const { phase } = oracle
        let end: Promise<void> = Promise.resolve()
        const settled = oracle.promise(
          'shutdown',
          () => {
            end = pool.shutdown({ force })
            return end
          },
          { to: ['stopping', 'idle'] },
        )
        requireTop(oracle, pool.status().state, phase === 'idle' ? ['idle'] : ['stopping', 'idle'])
        await settled
        if (!isAwaited) return
        await end
        requireTop(oracle, pool.status().state, ['idle'])
      },
    ),
  )
}

export function starting(fc: FastCheck): Arbitrary<PoolCommand> {
  return fc.nat({ max: 9 }).map((boldness) =>
    commandOf(
      'start',
      ({ phase }) => boldness === 0 || phase === 'idle',
      (oracle, { pool }) => {
        const { phase } = oracle
        oracle.attempt('start', null, () => pool.start(), { to: ['starting'] })
        const then = phase === 'idle' ? 'starting' : topOf(phase)
        requireTop(oracle, pool.status().state, [then])
      },
    ),
  )
}

export function signalling(fc: FastCheck): Arbitrary<PoolCommand> {
  return fc.constantFrom('SIGINT', 'SIGTERM').map((signal) =>
    commandOf(
      signal,
      ({ phase }) => phase !== 'idle',
      (oracle, { pool, scenario }) => {
        oracle.attempt(signal, null, () => scenario.signal(signal as 'SIGINT'), {
          to: ['stopping', 'idle'],
        })
        requireTop(oracle, pool.status().state, ['stopping', 'idle'])
      },
    ),
  )
}

export function striking(fc: FastCheck, faults: readonly FaultName[]): Arbitrary<PoolCommand> {
  return fc.constantFrom(...faults).map((fault) =>
    commandOf(
      `inject ${fault}`,
      () => true,
      (oracle, { scenario }) => {
        scenario.inject(fault)
        oracle.note('inject')
      },
    ),
  )
}

/** Mostly where it is taken; one in ten also where it must be refused. */
function boldly(
  fc: FastCheck,
  control: Control,
  text: string,
  run: (oracle: PoolOracle, real: CommandedPool) => void | Promise<void>,
): Arbitrary<PoolCommand> {
  return fc
    .nat({ max: 9 })
    .map((boldness) =>
      commandOf(text, (oracle) => boldness === 0 || refusalOf(oracle, control) === null, run),
    )
}

function refusalOf({ phase }: Readonly<PoolOracle>, control: Control): string | null {
  const taken: readonly PoolPhase[] = TAKEN[control]
  return taken.includes(phase) ? null : 'STATE_INVALID'
}

function requireTop(oracle: PoolOracle, found: Top, wanted: readonly Top[]): void {
  if (!wanted.includes(found))
    oracle.report(`the pool is ${found}; expected ${wanted.join(' or ')}`)
}
