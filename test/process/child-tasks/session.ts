/** Tasks on a fake browser, for the tests of the session in the child process. Logins are kept as fake cookies. */
import { defineTasks, task } from '../../../src/tasks.ts'
import { type PlainTaskContext, type TaskContext } from '../../../src/task/context.ts'
import type { FakeControls } from '../../support/fake-browser.ts'

const fakeOf = (page: unknown) => Reflect.get(Object(page), 'fake') as FakeControls
const later = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
let logins = 0
let checks = 0

const tasks = {
  where: ({ page, session }: TaskContext) => {
    const { tabId, browserId, browserPid, resets } = fakeOf(page)
    return { tabId, browserId, browserPid, resets, logins: session.logins, checks }
  },
  crash: async ({ page }: TaskContext) => {
    fakeOf(page).crash()
    await new Promise(() => undefined)
  },
  killBrowser: async ({ page, signal }: TaskContext) => {
    fakeOf(page).killBrowser()
    await new Promise((resolve) => signal.addEventListener('abort', resolve))
    return 'too late'
  },
  wait: async ({ payload, page }: TaskContext<number>) => {
    await later(payload)
    return fakeOf(page).tabId
  },
  hang: ({ page }: TaskContext) => fakeOf(page).hang(),
  deaf: () => new Promise(() => undefined),
  logOut: ({ page, session }: TaskContext) => {
    fakeOf(page).cookies.clear()
    return session.expired('the server said so')
  },
  logOutOnce: ({ page, session, payload }: TaskContext<string>) => {
    if (session.store.has(payload)) return session.logins
    session.store.set(payload, true)
    fakeOf(page).cookies.clear()
    return session.expired('once')
  },
  logOutSilently: ({ page }: TaskContext) => fakeOf(page).cookies.clear(),
  fetch: async ({ download }: TaskContext<string>) => [
    await download('a/order.csv'),
    await download(async () => 'x', { name: 'order.csv' }),
  ],
  plain: task({ browser: false }, ({ payload }: PlainTaskContext) => payload),
}

export const plainSession = defineTasks(tasks)
export default defineTasks(tasks, {
  session: {
    checkEvery: 0,
    check: async ({ page }) => {
      checks += 1
      return fakeOf(page).cookies.has('login')
    },
    login: async ({ page, log }) => {
      logins += 1
      log('logging in')
      if (process.env['FAKE_LOGIN'] === 'fail') throw new Error('wrong password')
      await later(5)
      fakeOf(page).cookies.set('login', `number ${logins}`)
    },
  },
})
