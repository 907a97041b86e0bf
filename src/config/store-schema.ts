/**
 * The option `store`: where tasks outlive the pool. The schema, its defaults, and what a store is
 * opened with.
 */
import { resolve } from 'node:path'
import { z } from 'zod'
import { choice, MAX_BYTES, ms, section, text, whole } from './fields.ts'
import { DEFAULT_RETENTION, DEFAULT_STORE_BYTES, MIN_STORE_BYTES } from '../common/limits.ts'

const retention = section({
  age: ms('Ended tasks are forgotten after this.').default(DEFAULT_RETENTION.age),
  bytes: whole(0, MAX_BYTES, 'Of ended tasks, the oldest go first.', ' of bytes').default(
    DEFAULT_RETENTION.bytes,
  ),
})

const settings = section({
  path: text('The file. One pool per file.'),
  durability: choice(
    ['each', 'batched'],
    'each: a task is on the disk when submit returns; batched: when handle.stored() resolves.',
  ).default('each'),
  retention: retention.prefault({}).describe('How long ended tasks can be looked up.'),
  maxBytes: whole(
    MIN_STORE_BYTES,
    MAX_BYTES,
    'No more tasks are accepted when it holds so much.',
    ' of bytes',
  ).default(DEFAULT_STORE_BYTES),
})

export const store = z
  .union([text('The file. One pool per file.'), settings], {
    error:
      'must be a path, or { path, durability: each or batched, retention: {age, bytes}, maxBytes }',
  })
  .describe('The file in which tasks outlive the pool. Default: they end with it.')

/** The option with nothing left open. */
export type StoreConfig = Readonly<z.output<typeof settings>>

export function storeConfig(given: z.output<typeof store> | undefined): StoreConfig | null {
  if (given === undefined) return null
  const parsed = typeof given === 'string' ? settings.parse({ path: given }) : given
  return Object.freeze({ ...parsed, path: resolve(parsed.path) })
}

/** What the store of a pool with these limits is opened with. */
export function storeSettings(
  { path, durability, retention: kept, maxBytes }: StoreConfig,
  limits: {
    readonly deadLetters: { readonly max: number }
    readonly resultCache: { readonly maxBytes: number }
  },
): SqliteSettings {
  return {
    path,
    durability,
    maxBytes,
    retention: kept,
    maxDeadLetters: limits.deadLetters.max,
    maxCacheBytes: limits.resultCache.maxBytes,
  }
}

export interface Retention {
  /** ms since its end. */
  readonly age: number
  /** Payloads, results and errors of all ended tasks together. */
  readonly bytes: number
}

export interface SqliteSettings {
  readonly path: string
  readonly durability: 'each' | 'batched'
  readonly retention: Retention
  /** Bytes in the file at which no more tasks are accepted. */
  readonly maxBytes: number
  readonly maxDeadLetters: number
  readonly maxCacheBytes: number
}
