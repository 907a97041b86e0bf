/**
 * A fake browser that writes down when each of its launches begins and ends, whichever process tries
 * it: `notedBrowserUrl(file)`. The lines stand in the order in which things happened.
 */
import { appendFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import type { BrowserDriver } from '../../src/child/browser/browser-driver.ts'
import { driver as fake } from '../support/fake-browser.ts'

/** Long enough for another to begin meanwhile, if it may. */
const LAUNCH_MS = 50

export function notedBrowserUrl(file: string): string {
  const url = new URL(import.meta.url)
  url.searchParams.set('file', file)
  return url.href
}

const file = new URL(import.meta.url).searchParams.get('file') ?? ''

export const driver: BrowserDriver = {
  launch: async (spec) => {
    appendFileSync(file, 'begins\n')
    const browser = await fake.launch(spec)
    await delay(LAUNCH_MS)
    appendFileSync(file, 'ends\n')
    return browser
  },
  killAll: () => fake.killAll?.(),
}
