/** A case for each kind of browser; skipped by name where one is not installed. */
import { inject, test } from 'vitest'
import { BROWSER_NAMES, type BrowserName } from '../../support/installed-browsers.ts'

export interface FieldBrowser {
  readonly name: BrowserName
  /** Makes a stranger's pool take this browser. */
  readonly env: Record<string, string>
}

export function eachBrowser(title: string, run: (browser: FieldBrowser) => Promise<void>): void {
  const installed = inject('field').browsers
  for (const name of BROWSER_NAMES) {
    const found = installed.find((browser) => browser.name === name)
    const env = { PUPPETEER_EXECUTABLE_PATH: found?.executablePath ?? '' }
    test.skipIf(found === undefined)(`${title} [${name}]`, () => run({ name, env }))
  }
}
