/** A module as users name it, as the URL it is loaded by. It never looks whether it exists. */
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'

/** `C:\tasks.ts` is a path, `file:///tasks.ts` and `data:…` are URLs. */
export function moduleUrl(reference: string | URL): string {
  if (typeof reference !== 'string') return reference.href
  return /^[a-z][a-z\d+.-]+:/i.test(reference) && URL.canParse(reference)
    ? new URL(reference).href
    : pathToFileURL(resolve(reference)).href
}
