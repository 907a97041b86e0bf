/**
 * How every peer launches the one Chromium of a run: with the very command line our own workers use, so that a page
 * costs everybody the same and only what is around the browser differs.
 */
import type { LaunchOptions } from 'puppeteer-core'
import { chromiumArgs } from '../../src/child/browser/browser-process.ts'
import { findBrowser } from '../../src/browser/finder.ts'
import { browserFlags } from '../../src/browser/flags.ts'

/** Path of the Chromium that all contestants of a run use. */
export async function browserPath(): Promise<string> {
  return (await findBrowser()).executablePath
}

export function launchOptions(executablePath: string): LaunchOptions {
  const args = chromiumArgs({
    executablePath,
    args: browserFlags(process.getuid?.() === 0),
    headless: true,
    profileFolder: '',
    tmpFolder: '',
    isolation: 'session',
    session: 'default',
    launchTimeoutMs: 0,
  })
  return {
    executablePath,
    pipe: true,
    ignoreDefaultArgs: true,
    // Puppeteer makes each browser a profile folder of its own.
    args: args.filter((arg) => !arg.startsWith('--user-data-dir')),
    defaultViewport: null,
    // These switches leave out the startup window, so there is no initial page to wait for.
    waitForInitialPage: false,
  }
}
