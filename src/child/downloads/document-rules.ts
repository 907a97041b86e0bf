/** Which commands and events have to do with a page's document, and which navigations replace it. */

/** Commands that neither show nor change the document. */
export const HARMLESS = new RegExp(
  [
    '^(Emulation|Network|Fetch|Target|Log|Performance)\\.',
    '^Runtime\\.(releaseObject|releaseObjectGroup|addBinding|enable|runIfWaitingForDebugger)$',
    '^Page\\.(enable|createIsolatedWorld|setLifecycleEventsEnabled|handleJavaScriptDialog)$',
    '^Page\\.(addScriptToEvaluateOnNewDocument|removeScriptToEvaluateOnNewDocument)$',
    '^Page\\.(setInterceptFileChooserDialog|setBypassCSP)$',
  ].join('|'),
)
/** Events of requests. */
export const NAVIGATION_EVENTS: ReadonlySet<unknown> = new Set([
  'request',
  'response',
  'requestfinished',
  'requestfailed',
  'requestservedfromcache',
])
/** Events that a tab's keeper needs whatever the document. */
export const ALWAYS: ReadonlySet<unknown> = new Set(['error', 'close'])
/** A change of the fragment alone keeps the document, and `javascript:` runs in it. */
export function replacesDocument(url: unknown): boolean {
  return typeof url === 'string' && /^(https?|file|data):/i.test(url) && !url.includes('#')
}
