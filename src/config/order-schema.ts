/**
 * The options that say in which order tasks run and on which worker, those of the pool and those of
 * a task, as parts of the one schema in schema.ts.
 */
import { z } from 'zod'
import { TroupeError } from '../common/errors.ts'
import { MAX_GROUP_LIMITS } from '../common/limits.ts'
import { allCapabilities, type Capabilities } from './order-plan.ts'
import {
  MAX_GROUP_LENGTH,
  MAX_KEY_LENGTH,
  MAX_NAME_LENGTH,
  MAX_REQUIREMENTS,
} from './task-option-checks.ts'

/** The highest limit of a group. */
const MAX_GROUP_CONCURRENCY = 1_000_000
/** Different capabilities of a pool's workers. */
const MAX_CAPABILITIES = 64

function text(most: number, of = '') {
  const error = `must be ${of}a string of 1 to ${most} characters`
  return z.string({ error }).min(1, { error }).max(most, { error })
}

const limitError = `must be a whole number from 0 (no limit) to ${MAX_GROUP_CONCURRENCY}`
const limit = z
  .int({ error: limitError })
  .min(0, { error: limitError })
  .max(MAX_GROUP_CONCURRENCY, { error: limitError })

export const groupConcurrency = z
  .union([limit, z.record(text(MAX_GROUP_LENGTH, 'by group, '), limit)], {
    error: `${limitError}, or an object of such numbers by group`,
  })
  .refine((value) => typeof value === 'number' || Object.keys(value).length <= MAX_GROUP_LIMITS, {
    error: `must have at most ${MAX_GROUP_LIMITS} groups`,
  })
  .describe('Tasks of one group at once; 0: no limit. A number for each, or an object by group.')
  .default(0)

const names = z.array(text(MAX_NAME_LENGTH), { error: 'must be an array of strings' })
const slot = z.custom<`worker-${number}`>(
  (key) => typeof key === 'string' && /^worker-[1-9]\d*$/.test(key),
)
const capabilityRule =
  "must be an array of strings, or an object of them by slot, as { 'worker-1': ['vpn'] }"

export const capabilities = z
  .union([names, z.record(slot, names)], { error: capabilityRule })
  .refine((value) => allCapabilities(value as Capabilities).length <= MAX_CAPABILITIES, {
    error: `must have at most ${MAX_CAPABILITIES} different ones`,
  })
  .describe('What the workers can do: all of them, or by slot.')
  .default([])

export const orderOfTask = {
  group: text(MAX_GROUP_LENGTH).describe('Who it is for: groups take turns.').optional(),
  requires: names
    .max(MAX_REQUIREMENTS, { error: `must have at most ${MAX_REQUIREMENTS} entries` })
    .readonly()
    .describe('Capabilities that its worker must have.')
    .optional(),
  affinity: text(MAX_KEY_LENGTH)
    .describe('Prefer the worker whose last task had the same key.')
    .optional(),
  session: text(MAX_NAME_LENGTH).describe('The session it runs in. Default default.').optional(),
}

/**
 * Capabilities by slot are for the workers a pool always has: one that comes and goes with the load,
 * or changes places with a spare, would not come for a task that only it can run.
 *
 * @throws CONFIG_INVALID naming the slot.
 */
export function requireSlots(given: Capabilities, minWorkers: number, standby: number): void {
  if (Array.isArray(given)) return
  if (standby > 0) {
    const message =
      'capabilities: by slot they cannot be had with standby; give all workers the same'
    throw new TroupeError('CONFIG_INVALID', message)
  }
  for (const key of Object.keys(given)) {
    if (Number(key.slice('worker-'.length)) <= minWorkers) continue
    const slots = minWorkers === 1 ? 'worker-1' : `worker-1 to worker-${minWorkers}`
    const message = `capabilities: ${key} is not a worker this pool always has; these are: ${slots}`
    throw new TroupeError('CONFIG_INVALID', message)
  }
}

/** @throws CONFIG_INVALID unless it can be a group's limit. */
export function requireGroupLimit(group: unknown, concurrency: unknown): void {
  const name = text(MAX_GROUP_LENGTH).safeParse(group)
  const number = limit.safeParse(concurrency)
  const problems = [
    ...(name.error?.issues.map(({ message }) => `group: ${message}`) ?? []),
    ...(number.error?.issues.map(({ message }) => `limit: ${message}`) ?? []),
  ]
  if (problems.length > 0) throw new TroupeError('CONFIG_INVALID', problems.join('; '))
}
