/** How every peer launches the one Chromium of a run: with the switches our own workers use, through puppeteer's front door. */
import type { LaunchOptions } from 'puppeteer-core'
import { findBrowser } from '../../src/worker/browser-finder.ts'
import { browserFlags } from '../../src/worker/browser-flags.ts'

/** Path of the Chromium that all contestants of a run use. */
export async function browserPath(): Promise<string> {
  return (await findBrowser()).executablePath
}

export function launchOptions(executablePath: string): LaunchOptions {
  return {
    executablePath,
    headless: 'shell',
    pipe: true,
    args: [...browserFlags(process.getuid?.() === 0)],
    // Our switches leave out the startup window, so there is no initial page to wait for.
    waitForInitialPage: false,
  }
}
