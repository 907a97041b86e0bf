/**
 * The small page that the `pages` and `memory` rows open: static, about 3 KB, served on loopback by the bench itself,
 * with nothing to load beside it. It never caches, so that every visit is one.
 */

import { once } from 'node:events'
import { createServer } from 'node:http'

const ROWS = 20
export const PAGE_TITLE = 'Purchase orders'

const lines = Array.from({ length: ROWS }, (_, i) => {
  const number = String(i + 1).padStart(3, '0')
  return `<tr><td>PO-${number}</td><td>Supplier ${i % 7}</td><td>${(i * 37) % 900}.00</td></tr>`
})
const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>${PAGE_TITLE}</title>
<link rel="icon" href="data:,">
<style>
  body { font: 16px/1.5 sans-serif; margin: 2rem auto; max-width: 48rem; color: #222 }
  table { border-collapse: collapse; width: 100% }
  td, th { border-bottom: 1px solid #ccc; padding: .25rem .5rem; text-align: left }
</style>
</head>
<body>
<h1>${PAGE_TITLE}</h1>
<p>One page of orders, as a supplier's portal shows them after the login.</p>
<table>
<thead><tr><th>Order</th><th>Supplier</th><th>Amount</th></tr></thead>
<tbody>
${lines.join('\n')}
</tbody>
</table>
</body>
</html>
`

export interface PageServer extends AsyncDisposable {
  readonly url: string
}

export async function startPageServer(): Promise<PageServer> {
  const server = createServer((_request, response) => {
    response.writeHead(200, {
      'content-type': 'text/html; charset=utf-8',
      'content-length': Buffer.byteLength(PAGE),
      'cache-control': 'no-store',
    })
    response.end(PAGE)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string')
    throw new Error('the page server has no port')
  return {
    url: `http://127.0.0.1:${address.port}/`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
