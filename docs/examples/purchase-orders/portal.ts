/**
 * A small supplier portal, ours, on loopback: a login form with a session cookie, order pages,
 * attachments sent as downloads, and the troubles of a real portal, each on purpose and the same on
 * every run. Its content never changes.
 *
 * By hand: `node docs/examples/purchase-orders/portal.ts [port]`, then open the address it prints.
 */
import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { type Attachment, attachmentsOf } from './attachments.ts'
import { type Order, readOrders } from './orders.ts'
import { fileUrl, loginPage, messagePage, orderListPage, orderPage } from './pages.ts'
import { redirect, sendFile, sendPage } from './replies.ts'

/** The account of the demo. */
export const CREDENTIALS = { user: 'buyer', password: 'open sesame' } as const
/** In orders.csv, but unknown to the portal: its page is a 404. */
export const MISSING_ORDER = 'PO-017'
/** Answers 503 twice, then works. */
export const FLAKY_ORDER = 'PO-023'
export const OUTAGES = 2
/** Its page takes its time. */
export const SLOW_ORDER = 'PO-031'
export const SLOW_PAGE_MS = 1_500
/** The first session that has made this many requests is thrown out, once. */
export const REQUESTS_UNTIL_EXPIRY = 20

const ORDERS_FILE = new URL('./orders.csv', import.meta.url)
const COOKIE = 'portal_session'
const MAX_SESSIONS = 1_000
const MAX_FORM_BYTES = 4_096

/** An order the portal knows, with what its attachments must be. */
export interface PortalOrder extends Order {
  readonly files: readonly ExpectedFile[]
}

export interface ExpectedFile {
  readonly name: string
  readonly bytes: number
  /** Lower-case hex. */
  readonly sha256: string
}

export interface PortalOptions {
  /** Added to every answer, in ms. Default 0. */
  readonly latencyMs?: number
  /** Default 0: any free one. */
  readonly port?: number
}

export interface Portal extends AsyncDisposable {
  /** Without a slash at the end, as `http://127.0.0.1:40123`. */
  readonly url: string
  /** Every order the portal knows: all of orders.csv but the missing one. */
  readonly orders: readonly PortalOrder[]
  /** Successful logins so far. */
  logins(): number
  close(): Promise<void>
}

interface Page {
  readonly order: Order
  readonly attachments: readonly Attachment[]
}

/** Everything one running portal knows. */
interface State {
  readonly pages: ReadonlyMap<string, Page>
  /** Requests made, by session. */
  readonly sessions: Map<string, number>
  readonly latencyMs: number
  readonly closing: AbortSignal
  logins: number
  outagesLeft: number
  expiryDone: boolean
}

/**
 * Starts the portal on 127.0.0.1.
 *
 * @example
 * await using portal = await startPortal()
 * console.log(portal.url)
 */
export async function startPortal(options: PortalOptions = {}): Promise<Portal> {
  const orders = (await readOrders(ORDERS_FILE)).filter(({ number }) => number !== MISSING_ORDER)
  const pages = new Map(
    orders.map((order) => [order.url, { order, attachments: attachmentsOf(order) }]),
  )
  const closing = new AbortController()
  const state: State = {
    pages,
    sessions: new Map(),
    latencyMs: options.latencyMs ?? 0,
    closing: closing.signal,
    logins: 0,
    outagesLeft: OUTAGES,
    expiryDone: false,
  }
  const server = createServer((request, response) => {
    answer(state, request, response).catch(() => response.destroy())
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port ?? 0, '127.0.0.1', resolve)
  })
  const closed = new Promise<void>((resolve) => server.once('close', resolve))
  const close = (): Promise<void> => {
    closing.abort()
    server.close()
    server.closeAllConnections()
    return closed
  }
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    orders: [...pages.values()].map(({ order, attachments }) => ({
      ...order,
      files: attachments.map(({ name, body, sha256 }) => ({ name, bytes: body.length, sha256 })),
    })),
    logins: () => state.logins,
    close,
    [Symbol.asyncDispose]: close,
  }
}

async function answer(
  state: State,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://portal')
  if (state.latencyMs > 0) await delay(state.latencyMs, undefined, { signal: state.closing })
  if (url.pathname === '/favicon.ico') return void response.writeHead(204).end()
  if (url.pathname === '/checksums') return sendChecksums(state, response)
  if (url.pathname === '/login') {
    if (request.method === 'POST') return signIn(state, request, response)
    return sendPage(response, 200, loginPage(localPath(url.searchParams.get('next'))))
  }
  if (request.method !== 'GET') {
    return sendPage(response, 405, messagePage('Not allowed', 'Only GET is answered here.'))
  }
  if (!admit(state, request)) {
    return redirect(response, `/login?next=${encodeURIComponent(url.pathname)}`)
  }
  if (url.pathname === '/') return redirect(response, '/orders')
  if (url.pathname === '/orders') {
    return sendPage(response, 200, orderListPage([...state.pages.values()].map((p) => p.order)))
  }
  await sendOrderOrFile(state, url.pathname, response)
}

async function sendOrderOrFile(
  state: State,
  path: string,
  response: ServerResponse,
): Promise<void> {
  const page = state.pages.get(path.split('/files/')[0] ?? '')
  const file = page?.attachments.find(({ name }) => fileUrl(page.order, name) === path)
  if (file) return sendFile(response, file)
  if (page?.order.url !== path) {
    return sendPage(response, 404, messagePage('Not found', 'There is no such order.'))
  }
  if (page.order.number === FLAKY_ORDER && state.outagesLeft > 0) {
    state.outagesLeft -= 1
    return sendPage(response, 503, messagePage('Out of service', 'Please come back soon.'))
  }
  if (page.order.number === SLOW_ORDER) {
    await delay(SLOW_PAGE_MS, undefined, { signal: state.closing })
  }
  sendPage(response, 200, orderPage(page.order, page.attachments))
}

/**
 * Whether the request comes from a session; counts it, and throws one session out when its time has
 * come.
 */
function admit(state: State, request: IncomingMessage): boolean {
  const token = new RegExp(`(?:^|; )${COOKIE}=([^;]+)`).exec(request.headers.cookie ?? '')?.[1]
  const requests = token === undefined ? undefined : state.sessions.get(token)
  if (token === undefined || requests === undefined) return false
  if (!state.expiryDone && requests >= REQUESTS_UNTIL_EXPIRY) {
    state.expiryDone = true
    state.sessions.delete(token)
    return false
  }
  state.sessions.set(token, requests + 1)
  return true
}

async function signIn(
  state: State,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (!(Number(request.headers['content-length']) <= MAX_FORM_BYTES)) {
    return sendPage(response, 413, messagePage('Too large', 'That is no login form.'))
  }
  const form = new URLSearchParams(await text(request))
  const next = localPath(form.get('next'))
  if (form.get('user') !== CREDENTIALS.user || form.get('password') !== CREDENTIALS.password) {
    return sendPage(response, 401, loginPage(next, 'User or password is wrong.'))
  }
  if (state.sessions.size >= MAX_SESSIONS) {
    return sendPage(response, 503, messagePage('Out of service', 'Too many sessions.'))
  }
  const token = randomUUID()
  state.sessions.set(token, 0)
  state.logins += 1
  response.setHeader('set-cookie', `${COOKIE}=${token}; Path=/; HttpOnly; SameSite=Lax`)
  redirect(response, next)
}

/** Where to go after the login: a path of this portal, never another host. */
function localPath(path: string | null): string {
  return path && /^\/(?![/\\])/.test(path) && !/[\r\n]/.test(path) ? path : '/orders'
}

/**
 * What `sha256sum --check` reads. Open to all: it is how the demo is verified, not a part of the
 * portal.
 */
function sendChecksums(state: State, response: ServerResponse): void {
  const lines = [...state.pages.values()].flatMap(({ order, attachments }) =>
    attachments.map(({ name, sha256 }) => `${sha256}  ${order.number}/${name}\n`),
  )
  response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8' }).end(lines.join(''))
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const portal = await startPortal({ port: Number(process.argv[2] ?? 0) })
  const { user, password } = CREDENTIALS
  console.log(`The supplier portal is at ${portal.url} (user "${user}", password "${password}").`)
}
