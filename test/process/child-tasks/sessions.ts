/** Named sessions of every kind, for the tests of the child process. The portal is the `base` of this file's URL. */
import { defineTasks, type SessionContext } from '../../../src/tasks.ts'
import { type TaskContext } from '../../../src/task/context.ts'

const at = new URL(import.meta.url).searchParams
const base = at.get('base') ?? ''
const origin = base
/** The same portal, and to a browser another origin. */
const elsewhere = base.replace('127.0.0.1', 'localhost')

const logIn = (member: string) => async (context: SessionContext) => {
  await context.page.goto(`${base}/open`)
  await context.page.evaluate(
    (name) => fetch(`/login?member=${name}`, { method: 'POST' }).then((answer) => answer.text()),
    member,
  )
  await context.page.evaluate((name) => localStorage.setItem('member', name), member)
}

const state = {
  cookies: [
    { name: 'plain', value: 'one', domain: '127.0.0.1', path: '/' },
    { name: 'later', value: 'two', domain: '127.0.0.1', path: '/', expires: 4_000_000_000 },
  ],
  origins: [{ origin, localStorage: [{ name: 'token', value: 'abc' }] }],
}

export default defineTasks(
  {
    me: async ({ page, session }: TaskContext) => {
      const answer = await page.goto(`${base}/me`)
      if (answer?.url().includes('/login')) session.expired('the form')
      return {
        name: session.name,
        title: await page.title(),
        logins: session.logins,
        kept: await page.evaluate(() => localStorage.getItem('member')),
      }
    },
    seen: async ({ page }: TaskContext) => {
      const answer = await page.goto(`${base}/headers`)
      return {
        headers: (await answer?.json()) as Record<string, string>,
        cookie: await page.evaluate(() => document.cookie),
        token: await page.evaluate(() => localStorage.getItem('token')),
        width: await page.evaluate(() => innerWidth),
        languages: await page.evaluate(() => navigator.languages),
        agent: await page.evaluate(() => navigator.userAgent),
      }
    },
    spoil: async ({ page }: TaskContext) => {
      await page.setViewport({ width: 333, height: 222 })
      await page.setExtraHTTPHeaders({ 'x-spoilt': 'yes' })
    },
    elsewhere: async ({ page }: TaskContext) => {
      await page.goto(`${elsewhere}/open`)
      return page.evaluate(() => localStorage.getItem('token'))
    },
    load: async ({ page, payload }: TaskContext<string>) =>
      (await page.goto(payload, { timeout: 5_000 }))?.status(),
    download: ({ download, payload }: TaskContext<string>) => download(payload, { timeout: 5_000 }),
    downloadBesideFrame: async ({ page, download, payload }: TaskContext<string>) => {
      await page.goto(`${base}/framed`, { waitUntil: 'domcontentloaded' })
      const { name } = await download(payload)
      const frame = await page.waitForFrame(async (one) => (await one.title()) === 'inside')
      return [name, await frame.evaluate(() => document.body.innerText)]
    },
    downloadOrLogIn: async ({ download, payload, session }: TaskContext<string>) => {
      try {
        return await download(payload)
      } catch (error) {
        const cause: unknown = Reflect.get(Object(error), 'cause')
        if (Reflect.get(Object(cause), 'code') === 'DOWNLOAD_REDIRECTED') session.expired()
        throw error
      }
    },
    click: async ({ page, download, payload }: TaskContext<string>) => {
      await page.goto(`${base}/open`)
      return download(() => page.evaluate((url) => void (location.href = url), payload))
    },
  },
  {
    sessions: {
      ada: { login: logIn('ada') },
      bob: { login: logIn('bob'), isolation: 'context' },
      stored: { storageState: state },
      storedElsewhere: {
        login: logIn('ada'),
        isolation: 'context',
        storageState: {
          origins: [{ origin: elsewhere, localStorage: [{ name: 'token', value: 'far' }] }],
        },
      },
      storedClean: { storageState: state, isolation: 'context' },
      file: { storageState: at.get('file') ?? 'nowhere.json' },
      dressed: {
        headers: { 'x-team': 'buyers' },
        viewport: { width: 640, height: 480 },
        userAgent: 'Troupe/1',
        locale: 'de-DE',
      },
      proxied: {
        proxy: {
          server: at.get('proxy') ?? 'none',
          bypass: '<-loopback>',
          username: 'ada',
          password: 'secret',
        },
      },
    },
  },
)
