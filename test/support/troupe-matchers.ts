/** The matchers of `troupe/testing`, for tests of our own. */
import { expect } from 'vitest'
import { type TroupeMatchers, troupeMatchers } from '../../src/testing/index.ts'

declare module 'vitest' {
  interface Matchers<R extends void | Promise<void> = void | Promise<void>, T = unknown>
    extends TroupeMatchers {}
}

export function addMatchers(): void {
  expect.extend(troupeMatchers)
}
