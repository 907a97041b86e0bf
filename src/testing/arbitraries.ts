/**
 * What fast-check draws for properties about pools: what a user does to one, the tasks it is given,
 * the faults that strike it. fast-check is yours: it comes in as an argument, and nothing here needs
 * it otherwise.
 */
import type { Arbitrary } from 'fast-check'
import type { TaskOptions } from '../api/task.ts'
import { FAULT_NAMES, FAULTS, type FaultName, type Faults } from './simulation/faults.ts'
import { poolModel } from './model/pool-model.ts'
import { type PoolPath } from './model/pool-walk.ts'

/** The module fast-check: `import fc from 'fast-check'`. */
export type FastCheck = typeof import('fast-check').default

/** A task to be submitted: `pool.submit(name, payload, options)`. */
export interface TaskPlan<Payload = unknown> {
  readonly name: string
  readonly payload: Payload
  readonly options: TaskOptions
}

const DEFAULT_MAX_EVENTS = 12
const DEFAULT_MAX_TASKS = 20
const DEFAULT_MAX_CHANCE = 0.2
const DEFAULT_MAX_FAULTS = 4
const MAX_ATTEMPTS = 4
const MAX_DELAY_MS = 1_000

/**
 * What a user may do to a pool, step by step, as a path for `poolModel().walk`.
 *
 * @example
 * fc.assert(fc.asyncProperty(poolEvents(fc), async (path) => {
 *   await using pool = createPoolActor({ tasks, workers: 1 })
 *   await model.walk(path, pool)
 * }))
 */
export function poolEvents(
  fc: FastCheck,
  {
    workers = 1,
    sizes = [],
    maxEvents = DEFAULT_MAX_EVENTS,
  }: {
    readonly workers?: number
    readonly sizes?: readonly number[]
    readonly maxEvents?: number
  } = {},
): Arbitrary<PoolPath> {
  const model = poolModel({ workers, sizes })
  return fc.array(fc.nat(), { maxLength: maxEvents }).map((choices) => model.pathBy(choices))
}

/**
 * Tasks by name, each with an arbitrary for its payload, and options of all kinds.
 *
 * @throws RangeError without a task.
 * @example
 * taskPlans(fc, { double: fc.integer() })
 */
export function taskPlans<Payload>(
  fc: FastCheck,
  payloads: Readonly<Record<string, Arbitrary<Payload>>>,
  { maxTasks = DEFAULT_MAX_TASKS }: { readonly maxTasks?: number } = {},
): Arbitrary<TaskPlan<Payload>[]> {
  const kinds = Object.entries(payloads)
  if (kinds.length === 0) throw new RangeError('taskPlans: name at least one task')
  const options = fc.record(
    {
      priority: fc.integer({ min: 0, max: 100 }),
      attempts: fc.integer({ min: 1, max: MAX_ATTEMPTS }),
      delay: fc.integer({ min: 0, max: MAX_DELAY_MS }),
      idempotent: fc.boolean(),
    },
    { requiredKeys: [], noNullPrototype: true },
  )
  const plans = kinds.map(([name, payload]) =>
    fc.record({ name: fc.constant(name), payload, options }, { noNullPrototype: true }),
  )
  return fc.array(fc.oneof(...plans), { maxLength: maxTasks })
}

/**
 * What goes wrong, and how often: for the `faults` of `simulatePool`.
 *
 * @throws TypeError for a fault that does not exist.
 * @example
 * faultPlans(fc, { among: ['crash', 'hang', 'lostFrame'] })
 */
export function faultPlans(
  fc: FastCheck,
  {
    among = FAULT_NAMES,
    maxFaults = DEFAULT_MAX_FAULTS,
    maxChance = DEFAULT_MAX_CHANCE,
  }: {
    readonly among?: readonly FaultName[]
    readonly maxFaults?: number
    /** Share of the occasions on which a fault strikes at most, 0–1. */
    readonly maxChance?: number
  } = {},
): Arbitrary<Faults> {
  for (const name of among) {
    if (Object.hasOwn(FAULTS, name)) continue
    throw new TypeError(`faultPlans: there is no fault "${name}"; known: ${FAULT_NAMES.join(', ')}`)
  }
  const chance = fc.double({ min: 0, max: maxChance, noNaN: true })
  return fc
    .uniqueArray(fc.tuple(fc.constantFrom(...among), chance), {
      maxLength: maxFaults,
      selector: ([name]) => name,
    })
    .map((faults) => Object.fromEntries(faults))
}
