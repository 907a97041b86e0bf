/**
 * A fake browser whose first launches fail, whichever processes try them:
 * `flakyBrowserUrl(countFile, failures)`.
 */
import { appendFileSync, readFileSync } from 'node:fs'
import { driver as fake } from '../support/fake-browser.ts'
import type { BrowserDriver } from '../../src/child/browser/browser-driver.ts'

export function flakyBrowserUrl(countFile: string, failures: number): string {
  const url = new URL(import.meta.url)
  url.search = new URLSearchParams({ countFile, failures: String(failures) }).toString()
  return url.href
}

const { searchParams } = new URL(import.meta.url)

export const driver: BrowserDriver = {
  launch: (spec) => {
    const file = searchParams.get('countFile') ?? ''
    appendFileSync(file, '.')
    if (readFileSync(file).length <= Number(searchParams.get('failures'))) {
      throw new Error('This launch was to fail.')
    }
    return fake.launch(spec)
  },
  killAll: () => fake.killAll?.(),
}
