/**
 * How an attempt that ignores its abort signal is brought to its end without killing the process: stop the page's
 * script, close the tab, and if the browser itself no longer answers, declare it hung. It never reports an end: the
 * attempt ends when its handler does, and if that never comes, the pool kills the process.
 */
import type { Attempt } from './attempt.ts'
import type { EscalationPorts } from '../browser/browser-driver.ts'
import { succeeds } from '../time-limit.ts'
import { PROBE_LIMIT_MS, type TabLease } from '../browser/tab-set.ts'

const INTERRUPT_LIMIT_MS = 500
const TAB_CLOSE_LIMIT_MS = 1_000

/** Climbs until the attempt has ended or the top is reached. Never rejects. */
export async function escalate(
  attempt: Attempt,
  lease: TabLease,
  ports: EscalationPorts,
): Promise<void> {
  const ended = new Promise<void>((resolve) => {
    if (attempt.ended) resolve()
    else attempt.onEnded = resolve
  })
  if (attempt.ended) return
  void succeeds(INTERRUPT_LIMIT_MS, lease.tab.interrupt())
  if (await succeeds(INTERRUPT_LIMIT_MS, ended)) return
  lease.dead = true
  void succeeds(TAB_CLOSE_LIMIT_MS, lease.tab.close())
  if (await succeeds(TAB_CLOSE_LIMIT_MS, ended)) return
  const browser = ports.browser()
  if (browser === null || (await succeeds(PROBE_LIMIT_MS, browser.probe()))) return
  ports.onHung(new Error('the browser did not open, use and close a tab in time'))
}
