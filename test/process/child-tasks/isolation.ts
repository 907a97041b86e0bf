/**
 * Tasks that leave something behind, of each kind there is, and look for what others have left. The
 * session's hooks do the same. Every look tells who has left what it found.
 */
import { defineTasks, type SessionContext } from '../../../src/tasks.ts'
import { type TaskContext } from '../../../src/task/context.ts'

export type Who = 'task' | 'login'
type On = Pick<TaskContext, 'page'>
interface Kind {
  leave(on: On, base: string, who: Who): Promise<unknown>
  /** Who has left something; null for nobody. */
  look(on: On, base: string): Promise<unknown>
}

const base = new URL(import.meta.url).searchParams.get('base') ?? ''
/** What listeners have heard. They live on in this process, whatever becomes of their page. */
const heard = new Set<string>()

const kinds: Readonly<Record<string, Kind>> = {
  cookies: {
    leave: ({ page }, _base, who) =>
      page.evaluate((name) => void (document.cookie = `who=${name}; path=/`), who),
    look: ({ page }) => page.evaluate(() => /who=(\w+)/.exec(document.cookie)?.[1] ?? null),
  },
  localStorage: {
    leave: ({ page }, _base, who) =>
      page.evaluate((name) => localStorage.setItem('who', name), who),
    look: ({ page }) => page.evaluate(() => localStorage.getItem('who')),
  },
  sessionStorage: {
    leave: ({ page }, _base, who) =>
      page.evaluate((name) => sessionStorage.setItem('who', name), who),
    look: ({ page }) => page.evaluate(() => sessionStorage.getItem('who')),
  },
  indexedDB: {
    leave: ({ page }, _base, who) =>
      page.evaluate(
        (name) =>
          new Promise<void>((resolve, reject) => {
            const request = indexedDB.open(`of-${name}`)
            request.onsuccess = () => resolve()
            request.onerror = () => reject(request.error)
          }),
        who,
      ),
    look: ({ page }) =>
      page.evaluate(async () => (await indexedDB.databases())[0]?.name?.slice(3) ?? null),
  },
  caches: {
    leave: ({ page }, _base, who) =>
      page.evaluate(async (name) => {
        await (await caches.open('kept')).put('/kept', new Response(name))
      }, who),
    look: ({ page }) =>
      page.evaluate(async () => (await (await caches.match('/kept'))?.text()) ?? null),
  },
  serviceWorker: {
    leave: ({ page }, _base, who) =>
      page.evaluate(async (name) => {
        await navigator.serviceWorker.register(`/worker.js?who=${name}`)
        await navigator.serviceWorker.ready
        while (navigator.serviceWorker.controller === null) {
          await new Promise((resolve) =>
            navigator.serviceWorker.addEventListener('controllerchange', resolve, { once: true }),
          )
        }
      }, who),
    look: ({ page }) => page.evaluate(async () => (await (await fetch('/nobody')).text()) || null),
  },
  permissions: {
    leave: ({ page }) => page.browserContext().overridePermissions(base, ['geolocation']),
    look: ({ page }) =>
      page.evaluate(async () => {
        const { state } = await navigator.permissions.query({ name: 'geolocation' })
        return state === 'granted' ? 'somebody' : null
      }),
  },
  listeners: {
    leave: async ({ page }, _base, who) => {
      page.on('request', () => heard.add(who))
    },
    look: async ({ page }, at) => {
      heard.clear()
      await page.goto(at)
      return [...heard][0] ?? null
    },
  },
  exposed: {
    leave: ({ page }, _base, who) => page.exposeFunction('exposed', () => who),
    look: ({ page }) =>
      page.evaluate(async () => {
        const exposed: unknown = Reflect.get(window, 'exposed')
        return typeof exposed === 'function' ? exposed() : null
      }),
  },
  scripts: {
    leave: ({ page }, _base, who) =>
      page.evaluateOnNewDocument((name) => Object.assign(window, { injected: name }), who),
    look: async ({ page }, at) => {
      await page.goto(at)
      return page.evaluate(() => (Reflect.get(window, 'injected') as string | undefined) ?? null)
    },
  },
  interception: {
    leave: async ({ page }, _base, who) => {
      await page.setRequestInterception(true)
      page.on('request', (request) => {
        if (!request.url().endsWith('/intercepted')) return void request.continue()
        void request.respond({ status: 200, contentType: 'text/plain', body: who })
      })
    },
    look: async ({ page }, at) => (await (await page.goto(`${at}/intercepted`))?.text()) || null,
  },
  headers: {
    leave: ({ page }, _base, who) => page.setExtraHTTPHeaders({ 'x-who': who }),
    look: async ({ page }, at) => (await (await page.goto(`${at}/headers`))?.text()) || null,
  },
  windows: {
    leave: async ({ page }, at, who) => {
      await page.evaluate((name) => void window.open(`/window/${name}`), who)
      const apart = await page.browser().newPage()
      await apart.goto(`${at}/window/${who}`)
    },
    look: async ({ page }) => {
      const { id } = page.browserContext()
      // Others' contexts may still be closing, and other tasks may have windows too.
      const urls = page
        .browser()
        .targets()
        .filter((target) => [undefined, id].includes(target.browserContext().id))
        .map((target) => target.url())
      return /\/window\/(\w+)/.exec(urls.join(' '))?.[1] ?? null
    },
  },
}

export const KINDS = Object.keys(kinds)

async function all(action: (kind: Kind) => Promise<unknown>): Promise<Record<string, unknown>> {
  const seen: Record<string, unknown> = {}
  for (const [name, kind] of Object.entries(kinds)) seen[name] = await action(kind)
  return seen
}

async function leaveAll(on: On, who: Who): Promise<Record<string, unknown>> {
  await on.page.goto(base)
  return all(async (kind) => {
    await kind.leave(on, base, who)
    return kind.look(on, base)
  })
}

async function lookForAll(on: On): Promise<Record<string, unknown>> {
  await on.page.goto(base)
  return all((kind) => kind.look(on, base))
}

export default defineTasks(
  {
    /** Leaves everything, and looks whether it is there: else nothing would be proven. */
    leave: (context: TaskContext) => leaveAll(context, 'task'),
    look: (context: TaskContext) => lookForAll(context),
    /** The login looks for everything too, and leaves it. */
    logIn: ({ session }: TaskContext) => {
      session.store.set('mayLeave', true)
      session.expired()
    },
    foundByLogin: ({ session }: TaskContext) => session.store.get('found'),
    granted: async (context: TaskContext<boolean>) => {
      await context.page.goto(base)
      if (context.payload) await kinds.permissions?.leave(context, base, 'task')
      return kinds.permissions?.look(context, base)
    },
    fetch: ({ page, download, payload }: TaskContext<string>) =>
      download(() => page.evaluate((url) => void window.open(url), payload), { timeout: 2_000 }),
    fetchLittle: ({ page, download, payload }: TaskContext<string>) =>
      download(() => page.evaluate((url) => void window.open(url), payload), { maxBytes: 1 }),
    /** Ends as soon as the site has lost the download's connection. */
    drop: async ({ page, payload }: TaskContext<string>) => {
      await page.goto(base)
      const open = async (url: string) => {
        window.open(url)
        await fetch(`${url}/lost`)
      }
      await page.evaluate(open, payload)
    },
    fetchLate: async ({ page, download, payload }: TaskContext<string>) => {
      await page.goto(base)
      const open = async (url: string) => {
        await fetch('/turn')
        window.open(url)
      }
      return download(() => page.evaluate(open, payload), { timeout: 5_000 })
    },
  },
  {
    session: {
      login: async (context: SessionContext) => {
        if (!context.session.store.has('mayLeave')) return
        context.session.store.set('found', await lookForAll(context))
        await leaveAll(context, 'login')
      },
    },
  },
)
