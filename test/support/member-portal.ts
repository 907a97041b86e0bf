/**
 * A little portal with members, for tests of sessions: a login per member, a page and a file that only they may see,
 * and everything that was asked of it, to count. A member who is not logged in is led to the form, as portals do.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { IDLE_BLANK_MS } from '../../src/child/browser/tab-guard.ts'

/** A page that opens a frame when it has been there for a while. */
const FRAMED = `<title>framed</title><body><script>
  const open = () => document.body.append(Object.assign(document.createElement('iframe'), { src: '/frame' }))
  setTimeout(open, 150)
</script>`
export const FILE = 'order,amount\nPO-1,5\n'

export interface MemberPortal extends AsyncDisposable {
  /** Without a slash at the end. */
  readonly url: string
  /** Logins by member. */
  readonly logins: Map<string, number>
  /** Logs everybody out. */
  expire(): void
}

export async function openMemberPortal(): Promise<MemberPortal> {
  const logins = new Map<string, number>()
  const members = new Map<string, string>()
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://portal')
    if (pathname === '/login' && request.method === 'POST') {
      const member = searchParams.get('member') ?? ''
      logins.set(member, (logins.get(member) ?? 0) + 1)
      const id = `${member}-${logins.get(member)}`
      members.set(id, member)
      response.setHeader('set-cookie', `member=${id}; Path=/; HttpOnly; SameSite=Lax`)
      return response.end('welcome')
    }
    if (pathname === '/headers') return sendJson(response, request.headers)
    if (pathname === '/open') return sendPage(response, 'open')
    if (pathname === '/frame') return sendPage(response, 'inside')
    if (pathname === '/framed') {
      response.setHeader('content-type', 'text/html')
      return response.end(FRAMED)
    }
    if (pathname === '/login') return sendPage(response, 'login')
    const member = members.get(idOf(request))
    if (member === undefined) {
      response.writeHead(302, { location: `/login?to=${pathname}` })
      return response.end()
    }
    if (pathname === '/me') return sendPage(response, member)
    if (pathname === '/moved.csv') {
      response.writeHead(302, { location: '/file.csv' })
      return response.end()
    }
    if (pathname === '/broken.csv') {
      response.writeHead(200, { 'content-type': 'text/csv', 'content-length': 1_000_000 })
      response.write(FILE)
      return setTimeout(() => response.destroy(), 50)
    }
    // Longer than a used tab is left idle.
    if (pathname === '/slow.csv') return setTimeout(() => response.end(FILE), 5 * IDLE_BLANK_MS)
    response.setHeader('content-type', pathname === '/page' ? 'text/html' : 'text/csv')
    return response.end(FILE)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    logins,
    expire: () => members.clear(),
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function idOf(request: IncomingMessage): string {
  return /member=([\w-]+)/.exec(request.headers.cookie ?? '')?.[1] ?? ''
}

function sendPage(response: ServerResponse, title: string): void {
  response.setHeader('content-type', 'text/html')
  response.end(`<title>${title}</title><h1>${title}</h1>`)
}

function sendJson(response: ServerResponse, value: unknown): void {
  response.setHeader('content-type', 'application/json')
  response.end(JSON.stringify(value))
}
