/**
 * The port between a session and whatever drives a browser. Production: `puppeteer-driver.ts`. Tests bring a scripted
 * one by URL (`LaunchSpec.driver`). No promise of a driver may be awaited without a limit: callers race every one.
 */
import type { Page } from 'puppeteer-core'
import type { StorageState } from '../../task/session-definition.ts'
import type { Artifact, DownloadOptions, DownloadsOptions } from '../../task/context.ts'
import type { LaunchSpec } from '../../process/ipc/protocol.ts'
import type { TabSettings } from '../tab-settings.ts'

/** The pool's spec, completed by the session's definition, which holds secrets and stays here. */
export interface BrowserSpec extends LaunchSpec {
  readonly tab: TabSettings
  /** What the browser, or each context of isolation `context`, begins with. */
  readonly state: StorageState | null
}

export interface BrowserDriver {
  launch(spec: BrowserSpec): Promise<DrivenBrowser>
  /** SIGKILL to every browser it has launched, also to one whose launch has not ended. Synchronous. */
  killAll?(): void
}

export interface DrivenBrowser {
  /** Also the id of its process group. */
  readonly pid: number | null
  /** Called once when the browser is gone, whoever ended it. */
  onDisconnected(listener: () => void): void
  /** A fresh tab, with its watchdog session already open. */
  openTab(): Promise<DrivenTab>
  /** Resolves when a new tab can be opened, used and closed: the only honest sign of health. */
  probe(): Promise<void>
  /** Closes what tasks have opened beside their tabs. Called when no attempt holds a tab. */
  tidy?(): Promise<void>
  /** What its profile has come to on the disk. */
  profileBytes?(): Promise<number>
  close(): Promise<void>
  /** SIGKILL to the whole group, at once. */
  kill(): void
}

export interface DrivenTab {
  readonly page: Page
  onCrashed(listener: () => void): void
  /** Resolves when the page's own process answers. Tells a failure of a task from the loss of its tab. */
  answers?(): Promise<void>
  /** Back to about:blank with no listeners, dialogs or interceptions left by the last task. */
  reset(): Promise<void>
  /**
   * Isolation `context`: tabs opened from now on begin with the cookies and the localStorage that
   * this one has.
   */
  share?(): Promise<void>
  /** Stops the JavaScript that hangs the page. */
  interrupt(): Promise<void>
  close(): Promise<void>
  download(
    source: string | (() => Promise<unknown>),
    folder: string,
    options: DownloadOptions,
  ): Promise<Artifact>
  downloadAll(
    action: () => Promise<unknown>,
    folder: string,
    options: DownloadsOptions,
  ): Promise<Artifact[]>
}

export interface EscalationPorts {
  /** The browser of the attempt's tab; null once it is gone. */
  browser(): DrivenBrowser | null
  onHung(error: unknown): void
}
