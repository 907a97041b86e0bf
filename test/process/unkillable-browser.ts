/** A fake browser whose first tab never opens and whose driver throws when it is to be killed. */
import { driver as fake } from '../support/fake-browser.ts'
import type { BrowserDriver } from '../../src/child/browser/browser-driver.ts'

export const UNKILLABLE_BROWSER = import.meta.url

export const driver: BrowserDriver = {
  launch: async (spec) =>
    Object.assign(await fake.launch(spec), {
      openTab: () => new Promise<never>(() => {}),
      kill: () => {
        throw new Error('this browser cannot be killed')
      },
    }),
  killAll: () => fake.killAll?.(),
}
