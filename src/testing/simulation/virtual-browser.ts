/**
 * A browser of a simulation: launched, opened, lost and closed in virtual time, with pages that can do
 * nothing but what a test gives them. The machine it runs on knows whether it still lives.
 */
import type { Page } from 'puppeteer-core'
import type { BrowserDriver, DrivenBrowser, DrivenTab } from '../../child/browser/browser-driver.ts'
import type { Artifact } from '../../task/context.ts'
import type { Scope } from './virtual-clock.ts'

/** What a page of the simulation can do: whatever the handlers under test call. */
export type PageMaker = () => object

interface BrowserPorts {
  /** Of the worker's process: browsers answer in its time. */
  readonly scope: Scope
  /** ms a launch takes, drawn anew for each. */
  launchMs(): number
  /** False: the process is dead, and what its code still does has no effect. */
  isLiving(): boolean
  /** True: the launch on that profile fails. */
  launchFails(profileFolder: string): boolean
  born(browser: VirtualBrowser, profileFolder: string): void
  gone(browser: VirtualBrowser): void
  nextPid(): number
  readonly page: PageMaker
}

export class VirtualBrowser implements DrivenBrowser {
  readonly pid: number
  readonly profileFolder: string
  readonly #ports: BrowserPorts
  #isGone = false
  #listeners: Array<() => void> = []

  constructor(ports: BrowserPorts, profileFolder: string) {
    this.#ports = ports
    this.pid = ports.nextPid()
    this.profileFolder = profileFolder
    ports.born(this, profileFolder)
  }

  onDisconnected(listener: () => void): void {
    if (this.#isGone) this.#ports.scope.defer(listener)
    else this.#listeners.push(listener)
  }

  openTab(): Promise<DrivenTab> {
    return this.#soon(() => new VirtualTab(this.#ports.page()))
  }

  probe(): Promise<void> {
    return this.#soon(() => undefined)
  }

  async close(): Promise<void> {
    await this.#soon(() => undefined)
    this.kill()
  }

  /** Whoever kills it, its worker hears of it as of any closed pipe. */
  kill(): void {
    if (this.#isGone) return
    this.#isGone = true
    this.#ports.gone(this)
    for (const listener of this.#listeners.splice(0)) this.#ports.scope.defer(listener)
  }

  /** A browser that is gone answers nothing. */
  #soon<T>(make: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#ports.scope.after(1, () => {
        if (this.#isGone) reject(new Error('target closed'))
        else resolve(make())
      })
    })
  }
}

class VirtualTab implements DrivenTab {
  readonly page: Page

  constructor(page: object) {
    this.page = page as Page
  }

  /** None of its tabs crashes alone. */
  onCrashed(): void {}

  async reset(): Promise<void> {}

  async interrupt(): Promise<void> {}

  async close(): Promise<void> {}

  download(): Promise<Artifact> {
    return Promise.reject(new Error('a simulated page downloads nothing'))
  }

  downloadAll(): Promise<Artifact[]> {
    return Promise.reject(new Error('a simulated page downloads nothing'))
  }
}

export function virtualDriver(ports: BrowserPorts): BrowserDriver {
  return {
    launch: (spec) => {
      if (!ports.isLiving()) return new Promise(() => undefined)
      const browser = new VirtualBrowser(ports, spec.profileFolder)
      return new Promise((resolve, reject) => {
        ports.scope.after(ports.launchMs(), () => {
          if (!ports.launchFails(spec.profileFolder)) return resolve(browser)
          browser.kill()
          reject(new Error('the simulated browser did not start'))
        })
      })
    },
  }
}

/** A page that says what is missing, instead of doing nothing. */
export function emptyPage(): object {
  const known: Record<string, unknown> = {
    goto: () => Promise.resolve(null),
    isClosed: () => false,
    url: () => 'about:blank',
  }
  return new Proxy(known, {
    get: (target, name) => {
      if (typeof name === 'symbol' || name === 'then' || name in target) {
        return Reflect.get(target, name)
      }
      return () => {
        throw new Error(`page.${name}(): a simulation has no browser; give simulatePool a \`page\``)
      }
    },
  })
}
