/**
 * Within `npm test` the field tests may take 60 s altogether: a case that would begin later is skipped
 * by name. `npm run field` runs them all.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, inject } from 'vitest'
import { isDeep } from './stranger.ts'

const SHORT_FORM_MS = 60_000

/** When the first case of the run began, in whichever process. */
function beganAt(): number {
  const path = join(inject('field').base, 'began')
  try {
    writeFileSync(path, String(Date.now()), { flag: 'wx' })
  } catch {
    // Another case was the first.
  }
  return Number(readFileSync(path, 'utf8'))
}

beforeEach(({ skip }) => {
  skip(!isDeep && Date.now() - beganAt() > SHORT_FORM_MS, 'past the short form: npm run field')
})
