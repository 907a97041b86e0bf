/** The demo's portal over plain HTTP: what it promises, and each trouble it makes on purpose. */
import { createHash } from 'node:crypto'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { readOrders } from '../../docs/examples/purchase-orders/orders.ts'
import {
  CREDENTIALS,
  FLAKY_ORDER,
  MISSING_ORDER,
  OUTAGES,
  type Portal,
  REQUESTS_UNTIL_EXPIRY,
  SLOW_ORDER,
  SLOW_PAGE_MS,
  startPortal,
} from '../../docs/examples/purchase-orders/portal.ts'

const ORDERS_FILE = new URL('../../docs/examples/purchase-orders/orders.csv', import.meta.url)

let portal: Portal
beforeEach(async () => {
  portal = await startPortal()
})
afterEach(() => portal.close())

/** A browser's cookie jar and redirects, by hand: nothing is followed unseen. */
async function get(path: string, cookie = ''): Promise<Response> {
  return fetch(portal.url + path, { headers: { cookie }, redirect: 'manual' })
}

async function post(form: Record<string, string>): Promise<Response> {
  const body = new URLSearchParams(form)
  return fetch(`${portal.url}/login`, { method: 'POST', body, redirect: 'manual' })
}

async function signIn(): Promise<string> {
  const response = await post(CREDENTIALS)
  expect(response.status).toBe(303)
  return (response.headers.get('set-cookie') ?? '').split(';')[0] ?? ''
}

function attachmentLinks(html: string): string[] {
  return Array.from(html.matchAll(/class="attachment" href="([^"]+)"/g), (match) => match[1] ?? '')
}

/** One session per order, so that no session grows old enough to expire. */
async function fetchFiles(url: string) {
  const cookie = await signIn()
  const links = attachmentLinks(await (await get(url, cookie)).text())
  return Promise.all(
    links.map(async (link) => {
      const response = await get(link, cookie)
      const body = Buffer.from(await response.arrayBuffer())
      const disposition = response.headers.get('content-disposition') ?? ''
      const name = decodeURIComponent(/filename\*=UTF-8''(.+)$/.exec(disposition)?.[1] ?? '')
      return { name, disposition, type: response.headers.get('content-type'), body }
    }),
  )
}

test('sixty orders are listed in orders.csv, and the portal knows all but one', async () => {
  const orders = await readOrders(ORDERS_FILE)
  expect(orders).toHaveLength(60)
  expect(new Set(orders.map(({ id }) => id)).size).toBe(60)
  expect(new Set(orders.map(({ url }) => url)).size).toBe(60)
  const known = new Set(portal.orders.map(({ number }) => number))
  expect(orders.filter(({ number }) => !known.has(number)).map(({ number }) => number)).toEqual([
    MISSING_ORDER,
  ])
  expect(known).toContain(FLAKY_ORDER)
  expect(known).toContain(SLOW_ORDER)
})

test('without a session every page leads to the login form, which leads back', async () => {
  for (const path of ['/orders', '/orders/PO-001', '/orders/PO-001/files/x.pdf', '/nowhere']) {
    const response = await get(path, 'portal_session=forged')
    expect(response.status).toBe(303)
    expect(response.headers.get('location')).toBe(`/login?next=${encodeURIComponent(path)}`)
  }
  const form = await (await get('/login?next=%2Forders%2FPO-001')).text()
  expect(form).toContain('method="post" action="/login"')
  expect(form).toContain('name="next" value="/orders/PO-001"')
  const response = await post({ ...CREDENTIALS, next: '/orders/PO-001' })
  expect(response.headers.get('location')).toBe('/orders/PO-001')
  expect(response.headers.get('set-cookie')).toMatch(/^portal_session=[^;]+; .*HttpOnly/)
})

test('a wrong password is refused in words and counts no login', async () => {
  const response = await post({ ...CREDENTIALS, password: 'guess' })
  expect(response.status).toBe(401)
  expect(response.headers.get('set-cookie')).toBeNull()
  expect(await response.text()).toContain('User or password is wrong.')
  expect(portal.logins()).toBe(0)
})

test('the login never leads to another host, and its form is bounded and escaped', async () => {
  for (const next of ['//evil.example', '/\\evil.example', 'https://evil.example', '/a\r\nb: c']) {
    expect((await post({ ...CREDENTIALS, next })).headers.get('location')).toBe('/orders')
  }
  expect((await post({ user: 'x'.repeat(10_000) })).status).toBe(413)
  const form = await (await get(`/login?next=${encodeURIComponent('/"><script>')}`)).text()
  expect(form).not.toContain('<script>')
})

test('every attachment arrives as a download with its announced name, bytes and checksum', async () => {
  for (const order of portal.orders.filter(({ number }) => number !== FLAKY_ORDER)) {
    const files = await fetchFiles(order.url)
    const facts = files.map(({ name, body }) => ({
      name,
      bytes: body.length,
      sha256: createHash('sha256').update(body).digest('hex'),
    }))
    expect(facts).toEqual(order.files)
    for (const { disposition } of files) expect(disposition).toMatch(/^attachment; filename="/)
  }
  const names = portal.orders.flatMap(({ files }) => files.map(({ name }) => name))
  expect(new Set(names).size).toBe(names.length)
})

test('the PDF, CSV and XML are what they say', async () => {
  const order = portal.orders.find(({ number }) => number === 'PO-048')
  const files = await fetchFiles(order?.url ?? '')
  const [pdf, csv, xml] = files.map(({ body }) => body)
  expect(files.map(({ type }) => type)).toEqual(['application/pdf', 'text/csv', 'application/xml'])
  const text = pdf?.toString('latin1') ?? ''
  expect(text).toMatch(/^%PDF-1\.4\n[\s\S]*\n%%EOF\n$/)
  const startxref = Number(/startxref\n(\d+)/.exec(text)?.[1])
  expect(text.slice(startxref, startxref + 5)).toBe('xref\n')
  const offsets = Array.from(text.matchAll(/^(\d{10}) 00000 n $/gm), (match) => Number(match[1]))
  offsets.forEach((offset, index) => {
    expect(text.slice(offset)).toMatch(new RegExp(`^${index + 1} 0 obj\n`))
  })
  expect(csv?.length).toBeGreaterThan(500_000)
  const amounts = Array.from(xml?.toString().matchAll(/">([\d.]+)<\/line>/g) ?? [], (match) =>
    Math.round(Number(match[1]) * 100),
  )
  expect(amounts.reduce((sum, cents) => sum + cents, 0)).toBe(
    Math.round((order?.amount ?? 0) * 100),
  )
})

test('two portals hold the same bytes, and /checksums lists them', async () => {
  await using other = await startPortal()
  expect(other.orders).toEqual(portal.orders)
  const listed = await (await get('/checksums')).text()
  const expected = portal.orders.flatMap(({ number, files }) =>
    files.map(({ name, sha256 }) => `${sha256}  ${number}/${name}`),
  )
  expect(listed.trimEnd().split('\n')).toEqual(expected)
})

test('the missing order is a 404, the flaky one a 503 twice, the slow one slow', async () => {
  const cookie = await signIn()
  expect((await get(`/orders/${MISSING_ORDER}`, cookie)).status).toBe(404)
  expect((await get('/orders/PO-001/files/none.pdf', cookie)).status).toBe(404)
  const statuses: number[] = []
  for (let visit = 0; visit <= OUTAGES; visit += 1) {
    statuses.push((await get(`/orders/${FLAKY_ORDER}`, cookie)).status)
  }
  expect(statuses).toEqual([503, 503, 200])
  const startedAt = performance.now()
  expect((await get(`/orders/${SLOW_ORDER}`, cookie)).status).toBe(200)
  expect(performance.now() - startedAt).toBeGreaterThanOrEqual(SLOW_PAGE_MS - 5)
})

test('one session expires after its requests are used up; a new one lasts', async () => {
  const first = await signIn()
  for (let n = 0; n < REQUESTS_UNTIL_EXPIRY; n += 1) {
    expect((await get('/orders', first)).status).toBe(200)
  }
  expect((await get('/orders', first)).status).toBe(303)
  expect((await get('/orders/PO-001', first)).status).toBe(303)
  const second = await signIn()
  for (let n = 0; n < 2 * REQUESTS_UNTIL_EXPIRY; n += 1) {
    expect((await get('/orders', second)).status).toBe(200)
  }
  expect(portal.logins()).toBe(2)
})

test('closing ends what is under way, and may be asked twice', async () => {
  const cookie = await signIn()
  const slow = get(`/orders/${SLOW_ORDER}`, cookie).then(
    () => 'answered',
    () => 'cut off',
  )
  await get('/orders', cookie)
  await Promise.all([portal.close(), portal.close()])
  await portal.close()
  expect(await slow).toBe('cut off')
  await expect(get('/orders')).rejects.toThrow('fetch failed')
})
