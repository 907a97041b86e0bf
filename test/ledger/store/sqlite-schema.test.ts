/** The option `store` as a user writes it. */
import { resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parseConfig } from '../../../src/config/parse.ts'

const parsed = (store: unknown) => parseConfig({ tasks: './tasks.ts', store }).store
const DEFAULTS = {
  durability: 'each',
  retention: { age: 7 * 86_400_000, bytes: 256 * 1024 * 1024 },
  maxBytes: 16 * 1024 ** 3,
}

describe('the option store', () => {
  it('is a path, or one with how it is kept', () => {
    expect(parseConfig({ tasks: './tasks.ts' }).store).toBeNull()
    expect(parsed('pool.db')).toEqual({ path: resolve('pool.db'), ...DEFAULTS })
    expect(parsed({ path: '/a/b.db', durability: 'batched', retention: { age: 5 } })).toEqual({
      ...DEFAULTS,
      path: '/a/b.db',
      durability: 'batched',
      retention: { ...DEFAULTS.retention, age: 5 },
    })
  })

  it.each([
    [5, 'store must be a path, or { path, durability: each or batched'],
    ['', 'store must be a string of 1 to 4096 characters'],
    [{ durability: 'each' }, 'store must be a path, or { path,'],
    [{ path: 'a', durabilty: 'each' }, 'did you mean store.durability?'],
    [
      { path: 'a', durability: 'never' },
      'store must be a path, or { path, durability: each or batched',
    ],
    [{ path: 'a', retention: { ages: 1 } }, 'did you mean store.retention.age?'],
    [{ path: 'a', retention: { bytes: -1 } }, 'store.retention.bytes must be a whole number'],
    [{ path: 'a', maxBytes: 10 }, 'store.maxBytes must be a whole number'],
  ])('refuses %j by name', (store, message) => {
    expect(() => parsed(store)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }))
    expect(() => parsed(store)).toThrow(message)
  })
})
