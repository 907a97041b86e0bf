/**
 * The site that the tasks of a chaos run visit: order pages behind a login, on loopback. It can
 * forget every login at once, as a real one does at midnight.
 */
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** Workers and hosts get the site's address by this variable. */
export const SITE_VARIABLE = 'TROUPE_CHAOS_SITE'
/** As long as a page of a near server takes. */
const ANSWER_MS = 50

export interface ChaosSite extends Disposable {
  readonly url: string
  /** From now on nobody is logged in. Resolves with the next login. */
  expire(): Promise<void>
}

export async function startSite(): Promise<ChaosSite> {
  const sessions = new Set<string>()
  let waiting: (() => void)[] = []
  const server = createServer((request, response) => {
    const path = request.url ?? '/'
    const session = /sid=([\w-]+)/.exec(request.headers.cookie ?? '')?.[1] ?? ''
    response.setHeader('content-type', 'text/html')
    if (path === '/login') {
      const fresh = randomUUID()
      sessions.add(fresh)
      response.setHeader('set-cookie', `sid=${fresh}; Path=/`)
      for (const resolve of waiting.splice(0)) resolve()
      return void response.end('<title>welcome</title>')
    }
    const order = /^\/orders\/(\d+)$/.exec(path)?.[1]
    const body = sessions.has(session)
      ? `<title>order ${order}</title><body data-order="${order}">`
      : '<title>log in</title><body>'
    setTimeout(() => response.end(body), ANSWER_MS)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    url,
    expire: () => {
      sessions.clear()
      return new Promise((resolve) => {
        waiting = [...waiting, resolve]
      })
    },
    [Symbol.dispose]: () => {
      server.closeAllConnections()
      server.close()
    },
  }
}
