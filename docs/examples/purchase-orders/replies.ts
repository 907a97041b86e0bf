/**
 * The three ways in which the portal answers: go elsewhere, a page, a download. Nothing may be
 * cached.
 */
import type { ServerResponse } from 'node:http'
import type { Attachment } from './attachments.ts'

export function redirect(response: ServerResponse, location: string): void {
  response.writeHead(303, { location, 'cache-control': 'no-store' }).end()
}

export function sendPage(response: ServerResponse, status: number, html: string): void {
  response
    .writeHead(status, { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' })
    .end(html)
}

export function sendFile(response: ServerResponse, file: Attachment): void {
  const plainName = file.name.replace(/[^\x20-\x7e]|["\\]/g, '_')
  const encodedName = encodeURIComponent(file.name)
  response
    .writeHead(200, {
      'content-type': file.mediaType,
      'content-length': file.body.length,
      'content-disposition': `attachment; filename="${plainName}"; filename*=UTF-8''${encodedName}`,
      'cache-control': 'no-store',
    })
    .end(file.body)
}
