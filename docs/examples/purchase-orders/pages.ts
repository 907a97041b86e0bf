/**
 * The portal's HTML: what a browser sees of it. Holds no state, and escapes everything it is given.
 */
import type { Attachment } from './attachments.ts'
import type { Order } from './orders.ts'

const STYLE =
  'body{font:16px/1.5 system-ui,sans-serif;max-width:48rem;margin:2rem auto;padding:0 1rem}' +
  'table{border-collapse:collapse;width:100%}' +
  'td,th{border-bottom:1px solid #ccc;padding:.4rem;text-align:left}' +
  'label{display:block;margin:.8rem 0}.error{color:#b00020}'

/** The login form. `next` is the path to come back to. */
export function loginPage(next: string, error = ''): string {
  return page(
    'Sign in',
    `<form method="post" action="/login" id="login">
<input type="hidden" name="next" value="${escapeHtml(next)}">
<label>User <input name="user" autocomplete="username" required></label>
<label>Password
<input name="password" type="password" autocomplete="current-password" required></label>
<p class="error" role="alert">${escapeHtml(error)}</p>
<button type="submit">Sign in</button>
</form>`,
  )
}

export function orderListPage(orders: readonly Order[]): string {
  const rows = orders.map(
    (order) =>
      `<tr><td><a href="${escapeHtml(order.url)}">${escapeHtml(order.number)}</a></td>` +
      `<td>${escapeHtml(order.supplier)}</td><td>${order.amount.toFixed(2)}</td></tr>`,
  )
  return page(
    'Your orders',
    `<table><tr><th>Order<th>Supplier<th>EUR</tr>\n${rows.join('\n')}\n</table>`,
  )
}

export function orderPage(order: Order, attachments: readonly Attachment[]): string {
  const links = attachments.map(
    ({ name }) =>
      `<li><a class="attachment" href="${fileUrl(order, name)}">${escapeHtml(name)}</a></li>`,
  )
  return page(
    `Order ${order.number}`,
    `<p>${escapeHtml(order.supplier)}, EUR ${order.amount.toFixed(2)}</p>
<h2>Attachments</h2>\n<ul>\n${links.join('\n')}\n</ul>\n<p><a href="/orders">All orders</a></p>`,
  )
}

export function messagePage(title: string, message: string): string {
  return page(title, `<p>${escapeHtml(message)}</p>`)
}

/** Path of an attachment. */
export function fileUrl(order: Order, name: string): string {
  return `${order.url}/files/${encodeURIComponent(name)}`
}

function page(title: string, body: string): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>${escapeHtml(title)} · Supplier portal</title>
<style>${STYLE}</style></head>
<body><h1>${escapeHtml(title)}</h1>\n${body}\n</body></html>\n`
}

function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
}
