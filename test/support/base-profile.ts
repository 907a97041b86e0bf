/**
 * A base profile for tests: a browser visits a page, is given a cookie and an item of localStorage that name `who`, is
 * closed, and the profile is sealed.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import puppeteer from 'puppeteer-core'
import { sealProfile } from '../../src/profile/seal.ts'
import { findBrowser } from '../../src/browser/finder.ts'

/** So often a browser may end before its cookie is on the disk: it writes only now and then. */
const MAX_VISITS = 10

export async function makeBaseProfile(folder: string, url: string, who: string): Promise<void> {
  for (let visit = 1; !hasCookie(folder); visit++) {
    if (visit > MAX_VISITS) throw new Error('The browser has never written its cookie.')
    await visitAs(folder, url, who)
  }
  await sealProfile(folder)
}

async function visitAs(folder: string, url: string, who: string): Promise<void> {
  const { executablePath, args } = await findBrowser()
  const browser = await puppeteer.launch({
    executablePath,
    args: [...args],
    userDataDir: folder,
    pipe: true,
    headless: 'shell',
    waitForInitialPage: false,
  })
  const page = await browser.newPage()
  await page.goto(url)
  await page.evaluate((name) => {
    document.cookie = `who=${name}; path=/; max-age=86400`
    localStorage.setItem('who', name)
  }, who)
  await browser.close()
}

function hasCookie(folder: string): boolean {
  const file = join(folder, 'Default', 'Cookies')
  if (!existsSync(file)) return false
  const database = new DatabaseSync(file, { readOnly: true })
  try {
    return database.prepare("SELECT 1 FROM cookies WHERE name = 'who'").get() !== undefined
  } finally {
    database.close()
  }
}
