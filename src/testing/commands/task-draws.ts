/**
 * Tasks as fast-check draws them: names, payloads, options of all kinds. What has to do with other tasks
 * is drawn as numbers; which tasks they mean is known when they are handed in.
 */
import type { Arbitrary } from 'fast-check'
import type { TaskOptions } from '../../api/task.ts'
import type { FastCheck } from '../arbitraries.ts'
import type { PoolOracle } from './pool-oracle.ts'
import type { TaskMachineContext } from './task-entry.ts'

/** By the name of a task: what its payload may be. */
export type Payloads = Readonly<Record<string, Arbitrary<unknown>>>

export interface DrawnTask {
  readonly name: string
  readonly payload: unknown
  readonly options: Omit<TaskOptions, 'id' | 'dependsOn' | 'deduplication' | 'signal'>
  /** Of earlier tasks: which of them it waits for. */
  readonly parents: readonly number[]
  readonly isLenient: boolean
  readonly key: string | null
  /** Of an earlier task: whose id it takes. */
  readonly reused: number | null
}

/** Numbers that choose among earlier tasks. */
export const MAX_CHOICE = 40
export const MAX_DELAY_MS = 500
const MAX_LIMIT_MS = 3_000

/** Now and then; else nothing, to which it shrinks. */
export function rarely<T>(fc: FastCheck, some: Arbitrary<T>, weight = 1): Arbitrary<T | undefined> {
  const none = { weight: 6, arbitrary: fc.constant(undefined) }
  return fc.oneof({ withCrossShrink: true }, none, { weight, arbitrary: some })
}

export function tasksOf(fc: FastCheck, payloads: Payloads): Arbitrary<DrawnTask> {
  const options = fc
    .record(
      {
        priority: rarely(fc, fc.integer({ min: 0, max: 100 })),
        attempts: rarely(fc, fc.integer({ min: 1, max: 4 })),
        delay: rarely(fc, fc.integer({ min: 1, max: MAX_DELAY_MS })),
        deadline: rarely(fc, fc.integer({ min: 50, max: MAX_LIMIT_MS })),
        queueTimeout: rarely(fc, fc.integer({ min: 50, max: MAX_LIMIT_MS })),
        group: rarely(fc, fc.constantFrom('a', 'b'), 6),
        affinity: rarely(fc, fc.constantFrom('x', 'y')),
        idempotent: rarely(fc, fc.constant(false)),
        cache: rarely(fc, fc.constant({ key: 'c', ttl: 1_000 })),
      },
      { noNullPrototype: true },
    )
    .map(withoutHoles)
  const choice = fc.nat({ max: MAX_CHOICE })
  return fc.oneof(
    ...Object.entries(payloads).map(([name, payload]) =>
      fc.record(
        {
          name: fc.constant(name),
          payload,
          options,
          parents: rarely(fc, fc.array(choice, { minLength: 1, maxLength: 2 }), 2).map(
            (some) => some ?? [],
          ),
          isLenient: fc.boolean(),
          key: rarely(fc, fc.constantFrom('k', 'l')).map((some) => some ?? null),
          reused: rarely(fc, choice).map((some) => some ?? null),
        },
        { noNullPrototype: true },
      ),
    ),
  )
}

export const NO_DEPENDENCIES = { parents: [], isLenient: false, key: null, group: null } as const

export function factsOf({ tasks }: PoolOracle, task: DrawnTask): TaskMachineContext {
  const { name, options, isLenient, key } = task
  const parents = task.parents.flatMap((choice) => tasks.pick(choice) ?? [])
  const earlier = task.reused === null ? null : tasks.pick(task.reused)
  const id = earlier ?? tasks.newId()
  return {
    id,
    name,
    // A task does not wait for the one before it with the same id.
    parents: [...new Set(parents)].filter((parent) => parent !== id),
    isLenient,
    key: earlier === null ? key : null,
    group: options.group ?? null,
  }
}

export function optionsOf(
  { options }: Pick<DrawnTask, 'options'>,
  { id, parents, isLenient, key }: TaskMachineContext,
): TaskOptions {
  return {
    ...options,
    id,
    ...(parents.length > 0 && { dependsOn: parents }),
    ...(isLenient && { dependencyFailure: 'run' as const }),
    ...(key !== null && { deduplication: { key } }),
  }
}

function withoutHoles<T extends object>(from: T): DrawnTask['options'] {
  return Object.fromEntries(Object.entries(from).filter(([, value]) => value !== undefined))
}

export function textOf({ name, payload, options, parents, key, reused }: DrawnTask): string {
  const more = {
    ...options,
    ...(parents.length > 0 && { dependsOn: parents }),
    ...(key !== null && { deduplication: key }),
    ...(reused !== null && { idOf: reused }),
  }
  const reported = Object.keys(more).length === 0 ? '' : ` ${JSON.stringify(more)}`
  return `${name}(${JSON.stringify(payload)})${reported}`
}
