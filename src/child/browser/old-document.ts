/**
 * The document that a task has left in its tab, and its last chance to be heard: handlers that run
 * when it is left. They are taken from it when its task has ended. Should it find new ones, and spin
 * in them while the next task navigates, they are broken off. It never touches a task's own document.
 */
import type { CDPSession, Frame } from 'puppeteer-core'
import { succeeds } from '../time-limit.ts'

/** A page that is being left is looked at this often, and must answer within it. */
const LET_GO_LIMIT_MS = 500
/**
 * Opening a document anew takes every listener from it and its window, and removes its frames, with
 * what they would do when they are left. Then what still loads is stopped, and the name, which
 * survives navigations, is forgotten. In a world of its own, where no page can have changed these
 * words. It tells how many nodes are left: none, or it has not worked.
 */
const SILENCE = "document.open(); window.stop(); window.name = ''; document.childNodes.length"

interface FrameInternals {
  isolatedRealm(): { readonly context?: { readonly id: number } | undefined }
}
type Send = (...args: unknown[]) => Promise<unknown>

/** Rejects when the document can't be silenced: it is of no HTML, or is just being replaced. */
export async function silence(frame: Frame, send: Send): Promise<void> {
  const contextId = (frame as Frame & FrameInternals).isolatedRealm().context?.id
  if (contextId === undefined) throw new Error('the page is between two documents')
  const answer = await send('Runtime.evaluate', { expression: SILENCE, contextId })
  const { result, exceptionDetails } = answer as {
    result?: { value?: unknown }
    exceptionDetails?: { text?: string }
  }
  if (exceptionDetails !== undefined || result?.value !== 0) {
    throw new Error('the last document could not be silenced')
  }
}

/**
 * Until `left` settles: stops the scripts of a page that does not answer. Of one that does, nothing
 * runs that could be stopped, and its successor is left alone.
 */
export async function makeLetGo(watchdog: CDPSession, left: Promise<unknown>): Promise<void> {
  let isLeft = false
  const over = left.then(
    () => (isLeft = true),
    () => (isLeft = true),
  )
  while (!(await succeeds(LET_GO_LIMIT_MS, over))) {
    let isAlive = false
    const look = watchdog.send('Runtime.evaluate', { expression: '0' }).then(
      () => (isAlive = true),
      () => (isLeft = true),
    )
    await succeeds(LET_GO_LIMIT_MS, Promise.race([look, over]))
    // This process may itself have been held up: what has come meanwhile is heard first.
    await new Promise((resolve) => setImmediate(resolve))
    if (isLeft || isAlive) continue
    await watchdog.send('Runtime.terminateExecution').catch(() => undefined)
  }
}
