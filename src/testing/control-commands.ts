/**
 * Commands that steer a pool: pause, resume, scale, drain, shut down, start, recover, group limits,
 * signals; and what happens to one: time passes, a fault strikes. Each says what must come of it.
 */
import type { Arbitrary } from 'fast-check'
import type { FastCheck } from './arbitraries.ts'
import type { FaultName } from './faults.ts'
import type { CommandedPool, PoolStand, Top } from './driven-pool.ts'
import { type PoolBooks, topOf } from './pool-books.ts'
import { commandOf, type PoolCommand } from './task-commands.ts'

/** Where a command is taken; elsewhere it is STATE_INVALID. */
const TAKEN = {
  pause: ['running', 'draining'],
  resume: ['paused', 'pausedDraining'],
  recover: ['error'],
  drain: ['starting', 'running', 'draining', 'pausedDraining'],
  scale: ['idle', 'starting', 'running', 'draining', 'paused', 'pausedDraining'],
} as const satisfies Record<string, readonly PoolStand[]>
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
      (_, { stage }) => stage.advance(waitMs),
    ),
  )
}

/** `pause`, `resume` and `recover`: done at once, or refused. */
export function turning(fc: FastCheck, what: keyof typeof LEADS): Arbitrary<PoolCommand> {
  return boldly(fc, what, what, (books, { pool }) => {
    const expected = refusalOf(books, what)
    const isDone = books.attempt(what, expected, () => pool[what](), { to: [LEADS[what]] })
    if (isDone) requireTop(books, pool.status().state, [LEADS[what]])
  })
}

export function scaling(fc: FastCheck, { least, most }: Sizes): Arbitrary<PoolCommand> {
  return fc
    .tuple(fc.integer({ min: least, max: most }), fc.nat({ max: 9 }))
    .map(([workers, boldness]) =>
      commandOf(
        `scale ${workers}`,
        (books) => boldness === 0 || refusalOf(books, 'scale') === null,
        (books, { pool }) =>
          books.promise('scale', () => pool.scale(workers), {
            expected: refusalOf(books, 'scale'),
          }),
      ),
    )
}

/** Never above `most`; one below `least` is refused. */
export function scalingBy(fc: FastCheck, sizes: Sizes, by: 1 | -1): Arbitrary<PoolCommand> {
  const what = by === 1 ? 'scaleUp' : 'scaleDown'
  return boldly(fc, 'scale', what, async (books, { pool }) => {
    const { context } = pool.getSnapshot() as { readonly context: { readonly size: number } }
    const size = context.size + by
    if (size > sizes.most) return
    await books.promise(what, () => pool[what](), {
      expected: size < sizes.least ? 'CONFIG_INVALID' : refusalOf(books, 'scale'),
    })
  })
}

export function limitingGroups(fc: FastCheck): Arbitrary<PoolCommand> {
  return fc.tuple(fc.constantFrom('a', 'b'), fc.constantFrom(1, 2, 1, 0)).map(([group, limit]) =>
    commandOf(
      `setGroupLimit ${group} ${limit}`,
      () => true,
      (books, { pool }) => {
        books.limit(group, limit)
        books.attempt('setGroupLimit', null, () => pool.setGroupLimit(group, limit))
      },
    ),
  )
}

export function draining(fc: FastCheck): Arbitrary<PoolCommand> {
  return boldly(fc, 'drain', 'drain', (books, { pool }) => {
    const before = books.tasks.unended()
    return books.promise('drain', () => pool.drain(), {
      expected: refusalOf(books, 'drain'),
      // A drain that waits for the start may find that there is none.
      late: books.stand === 'starting' ? ['STATE_INVALID'] : [],
      onSettled: (code) => {
        const isUp = books.stand !== 'stopping' && books.stand !== 'error'
        const left = before.filter((id) => !books.tasks.hasEnded(id))
        if (code === null && isUp && left.length > 0) {
          books.blame(`drain is over, and ${left.join(', ')} have not ended`)
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
      (books, { pool }) =>
        books.promise('accepting', () => pool.accepting(), {
          expected: books.intakeRefusal,
          late: books.roomRefusal(1) === null ? [] : ['POOL_CLOSED', 'DRAINING'],
        }),
    ),
  )
}

export function shuttingDown(fc: FastCheck): Arbitrary<PoolCommand> {
  return fc.record({ force: fc.boolean(), isAwaited: fc.boolean() }).map(({ force, isAwaited }) =>
    commandOf(
      `shutdown${force ? ' by force' : ''}${isAwaited ? ', awaited' : ''}`,
      ({ stand }) => stand !== 'idle',
      async (books, { pool }) => {
        const { stand } = books
        let end: Promise<void> = Promise.resolve()
        const settled = books.promise(
          'shutdown',
          () => {
            end = pool.shutdown({ force })
            return end
          },
          { to: ['stopping', 'idle'] },
        )
        requireTop(books, pool.status().state, stand === 'idle' ? ['idle'] : ['stopping', 'idle'])
        await settled
        if (!isAwaited) return
        await end
        requireTop(books, pool.status().state, ['idle'])
      },
    ),
  )
}

export function starting(fc: FastCheck): Arbitrary<PoolCommand> {
  return fc.nat({ max: 9 }).map((boldness) =>
    commandOf(
      'start',
      ({ stand }) => boldness === 0 || stand === 'idle',
      (books, { pool }) => {
        const { stand } = books
        books.attempt('start', null, () => pool.start(), { to: ['starting'] })
        const then = stand === 'idle' ? 'starting' : topOf(stand)
        requireTop(books, pool.status().state, [then])
      },
    ),
  )
}

export function signalling(fc: FastCheck): Arbitrary<PoolCommand> {
  return fc.constantFrom('SIGINT', 'SIGTERM').map((signal) =>
    commandOf(
      signal,
      ({ stand }) => stand !== 'idle',
      (books, { pool, stage }) => {
        books.attempt(signal, null, () => stage.signal(signal as 'SIGINT'), {
          to: ['stopping', 'idle'],
        })
        requireTop(books, pool.status().state, ['stopping', 'idle'])
      },
    ),
  )
}

export function striking(fc: FastCheck, faults: readonly FaultName[]): Arbitrary<PoolCommand> {
  return fc.constantFrom(...faults).map((fault) =>
    commandOf(
      `strike ${fault}`,
      () => true,
      (books, { stage }) => {
        stage.strike(fault)
        books.note('strike')
      },
    ),
  )
}

/** Mostly where it is taken; one in ten also where it must be refused. */
function boldly(
  fc: FastCheck,
  control: Control,
  text: string,
  run: (books: PoolBooks, real: CommandedPool) => void | Promise<void>,
): Arbitrary<PoolCommand> {
  return fc
    .nat({ max: 9 })
    .map((boldness) =>
      commandOf(text, (books) => boldness === 0 || refusalOf(books, control) === null, run),
    )
}

function refusalOf({ stand }: Readonly<PoolBooks>, control: Control): string | null {
  const taken: readonly PoolStand[] = TAKEN[control]
  return taken.includes(stand) ? null : 'STATE_INVALID'
}

function requireTop(books: PoolBooks, found: Top, wanted: readonly Top[]): void {
  if (!wanted.includes(found)) books.blame(`the pool is ${found}; expected ${wanted.join(' or ')}`)
}
