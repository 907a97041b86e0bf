/**
 * What a user can do with a pool, as commands of fast-check: sequences of them are run on a real pool
 * in virtual time, beside a small model of it, and a sequence that fails shrinks to the few commands
 * that matter. fast-check comes in as an argument: nothing here needs it otherwise.
 */
import type { Arbitrary } from 'fast-check'
import type { FastCheck } from '../arbitraries.ts'
import * as control from './control-commands.ts'
import type { FaultName } from '../simulation/faults.ts'
import { type CommandedPool, PoolOracle } from './pool-oracle.ts'
import { topOf } from './pool-phases.ts'
import * as work from './task-commands.ts'
import type { PoolCommand } from './task-commands.ts'
import type { Payloads } from './task-draws.ts'

export type { DrivenPool, PoolPhase } from './driven-pool.ts'
export type { CommandedPool, PoolOracle } from './pool-oracle.ts'
export type { PoolCommand } from './task-commands.ts'

export const POOL_COMMAND_NAMES = [
  'submit',
  'submitAll',
  'run',
  'map',
  'cancel',
  'redriveAll',
  'wait',
  'inject',
  'pause',
  'resume',
  'scale',
  'scaleUp',
  'scaleDown',
  'groupLimit',
  'drain',
  'accepting',
  'shutdown',
  'start',
  'recover',
  'signal',
] as const
export type PoolCommandName = (typeof POOL_COMMAND_NAMES)[number]

export interface PoolCommandsOptions {
  /** By the name of a task: what its payload may be. */
  readonly payloads: Payloads
  /** Commands at most; those that are not allowed where the pool stands are passed over. Default 40. */
  readonly maxCommands?: number
  /** ms of virtual time that one command lets pass at most. Default 2,000. */
  readonly maxWait?: number
  /** Workers that a scaling asks for. Default 1–4; those of an elastic pool are its own bounds. */
  readonly workers?: { readonly min: number; readonly max: number }
  /** Faults that commands let strike. Default: none. */
  readonly faults?: readonly FaultName[]
  /** Commands that shall not be drawn. */
  readonly without?: readonly PoolCommandName[]
  /** As a failure has printed it: goes with the `seed` and `path` of `fc.assert`. */
  readonly replayPath?: string
}

export interface RunCommandsOptions {
  /** ms of virtual time after which a task that was cancelled must have stopped. Default 60,000. */
  readonly cancelLimit?: number
  /** ms of virtual time in which everything must come to rest, once nothing goes wrong. Default 600,000. */
  readonly settleLimit?: number
}

const DEFAULT_MAX_COMMANDS = 40
const DEFAULT_MAX_WAIT_MS = 2_000
const DEFAULT_WORKERS = { min: 1, max: 4 }
const DEFAULT_SETTLE_LIMIT_MS = 600_000
/** Between two looks at a pool that comes to rest; ever longer, for most do soon. */
const LEAST_STEP_MS = 50
const MOST_STEP_MS = 3_000

/**
 * Sequences of what a user can do with a pool, for `runPoolCommands` or `fc.asyncModelRun`.
 *
 * @throws RangeError without a task.
 * @example
 * await fc.assert(
 *   fc.asyncProperty(poolCommands(fc, { payloads: { double: fc.integer() } }), async (commands) => {
 *     const simulation = simulatePool({ tasks, workers: 2 })
 *     await simulation.run((pool, scenario) => runPoolCommands(fc, commands, { pool, scenario }))
 *   }),
 * )
 */
export function poolCommands(
  fc: FastCheck,
  options: PoolCommandsOptions,
): Arbitrary<Iterable<PoolCommand>> {
  const { maxCommands = DEFAULT_MAX_COMMANDS, without = [], replayPath } = options
  if (Object.keys(options.payloads).length === 0) {
    throw new RangeError('poolCommands: name at least one task')
  }
  const kinds = Object.entries(kindsOf(fc, options)).filter(
    ([name]) => !without.includes(name as PoolCommandName),
  )
  const weighted = kinds.map(([, [weight, arbitrary]]) => ({ weight, arbitrary }))
  return fc.commands([fc.oneof(...weighted)], {
    maxCommands,
    size: 'max',
    ...(replayPath === undefined ? {} : { replayPath }),
  })
}

type Weighted = readonly [weight: number, arbitrary: Arbitrary<PoolCommand>]

function kindsOf(
  fc: FastCheck,
  { payloads, faults = [], ...options }: PoolCommandsOptions,
): Partial<Record<PoolCommandName, Weighted>> {
  const { maxWait = DEFAULT_MAX_WAIT_MS, workers: { min, max } = DEFAULT_WORKERS } = options
  const sizes = { least: min, most: max }
  return {
    submit: [10, work.submitting(fc, payloads)],
    wait: [10, control.waiting(fc, maxWait)],
    submitAll: [3, work.submittingAll(fc, payloads)],
    run: [2, work.running(fc, payloads)],
    map: [2, work.mapping(fc, payloads)],
    cancel: [4, work.cancelling(fc)],
    redriveAll: [1, work.redriving(fc)],
    pause: [2, control.turning(fc, 'pause')],
    resume: [4, control.turning(fc, 'resume')],
    scale: [1, control.scaling(fc, sizes)],
    scaleUp: [1, control.scalingBy(fc, sizes, 1)],
    scaleDown: [1, control.scalingBy(fc, sizes, -1)],
    groupLimit: [2, control.limitingGroups(fc)],
    drain: [1, control.draining(fc)],
    accepting: [1, control.accepting(fc)],
    shutdown: [1, control.shuttingDown(fc)],
    start: [6, control.starting(fc)],
    recover: [6, control.turning(fc, 'recover')],
    signal: [1, control.signalling(fc)],
    ...(faults.length > 0 && { inject: [4, control.striking(fc, faults)] as const }),
  }
}

/** The model that commands run beside the pool: for `fc.asyncModelRun`, with the same `real`. */
export function poolOracle(real: CommandedPool, options: RunCommandsOptions = {}): PoolOracle {
  return new PoolOracle(real, options)
}

/**
 * Runs the commands on the pool; then lets the faults end, waits until every task has ended and every
 * promise is kept, and shuts the pool down. After each step it must be what the model says.
 *
 * @throws Error with everything that is wrong, and TypeError for a pool with a store.
 */
export async function runPoolCommands(
  fc: FastCheck,
  commands: Iterable<PoolCommand>,
  real: CommandedPool,
  options: RunCommandsOptions = {},
): Promise<PoolOracle> {
  const model = poolOracle(real, options)
  await fc.asyncModelRun(() => ({ model, real }), commands)
  const { settleLimit = DEFAULT_SETTLE_LIMIT_MS } = options
  real.scenario.heal()
  await until(model, real, settleLimit, () => {
    nudge(model, real)
    return pendingOf(model, real)
  })
  await model.promise('shutdown', () => real.pool.shutdown(), { to: ['stopping', 'idle'] })
  await until(model, real, settleLimit, () => {
    if (model.open.length > 0) return `${model.open.join(', ')} never settles`
    return model.phase === 'idle' ? null : `the pool is ${model.phase}`
  })
  model.judgeTotal()
  return model
}

async function until(
  model: PoolOracle,
  { scenario }: CommandedPool,
  limitMs: number,
  pending: () => string | null,
): Promise<void> {
  const endMs = scenario.nowMs + limitMs
  for (let stepMs = LEAST_STEP_MS; ; stepMs = Math.min(2 * stepMs, MOST_STEP_MS)) {
    await scenario.advance(0)
    model.judge()
    const what = pending()
    if (what === null) return
    if (scenario.nowMs >= endMs)
      throw new Error(`healed, and not at rest after ${limitMs} ms: ${what}`)
    await scenario.advance(stepMs)
  }
}

/** What an operator would do, once the trouble is over. */
function nudge(oracle: PoolOracle, { pool }: CommandedPool): void {
  if (oracle.phase === 'error')
    oracle.attempt('recover', null, () => pool.recover(), { to: ['idle'] })
  else if (oracle.phase === 'idle') {
    oracle.attempt('start', null, () => pool.start(), { to: ['starting'] })
  } else if (topOf(oracle.phase) === 'paused') {
    oracle.attempt('resume', null, () => pool.resume(), { to: ['running'] })
  }
}

function pendingOf(oracle: PoolOracle, real: CommandedPool): string | null {
  const { phase, tasks, open } = oracle
  if (phase !== 'running') return `the pool is ${phase}`
  const unended = tasks.unended().map((id) => `${id} ${tasks.handleOf(id)?.status().state ?? ''}`)
  if (unended.length > 0) return `${unended.join(', ')} have not ended`
  return open.length > 0 ? `${open.join(', ')} never settles` : (real.pending?.(oracle) ?? null)
}
