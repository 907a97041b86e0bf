/** How the parts of a transition are called in a picture: events, guards, actions. */

const AFTER = 'xstate.after.'
const DONE = 'xstate.done.state.'
/** Stands for a context or an event nobody has yet: every property of it is itself, and so is what it returns. */
const ANYTHING: object = new Proxy(() => undefined, {
  get: (_, key) => {
    if (key === Symbol.toPrimitive) return () => 0
    return key === Symbol.iterator ? [][Symbol.iterator] : ANYTHING
  },
  apply: () => ANYTHING,
})

type Params = (args: unknown, event: unknown) => unknown

export function eventWord(eventType: string): string {
  if (eventType === '') return 'always'
  if (eventType === '*') return 'any other event'
  if (eventType.startsWith(DONE)) return 'done'
  if (!eventType.startsWith(AFTER)) return eventType
  return `after ${eventType.slice(AFTER.length).split('.')[0]}`
}

/** `not('a')` as `!a`; `and` and `or` by their words. */
export function guardWord(guard: unknown): string {
  if (typeof guard === 'string') return guard
  const { type, guards, name, check } = guard as {
    type?: string
    guards?: unknown[]
    name?: string
    check?: { name: string }
  }
  if (!guards) return type ?? name ?? 'anonymous'
  const words = guards.map(guardWord)
  if (check?.name === 'checkNot') return `!${words[0]}`
  return words.join(check?.name === 'checkOr' ? ' or ' : ' and ')
}

/** The action's name, with what is fixed among its parameters. */
export function actionWord(action: unknown): string {
  if (typeof action === 'string') return action
  const { type, params } = action as { type?: string; params?: unknown }
  if (type === undefined) return 'anonymous'
  const words = plainWords(typeof params === 'function' ? paramsOf(params as Params) : params)
  return words.length === 0 ? type : `${type}(${words.join(' ')})`
}

/** Commands are `subject.verb`; a name without a dot only notes something in the machine's own context. */
export function isCommand(name: string): boolean {
  return name.includes('.')
}

/** What a command would be given, as far as that does not hang on context and event. */
function paramsOf(params: Params): unknown {
  try {
    return params({ context: ANYTHING, event: ANYTHING }, ANYTHING)
  } catch {
    return undefined
  }
}

/** The words in parameters, and in the event they carry. */
function plainWords(params: unknown): string[] {
  if (typeof params !== 'object' || params === null) return []
  const { event, ...rest } = params as Record<string, unknown>
  const own = Object.values(rest).filter((value) => typeof value === 'string')
  return [...own, ...plainWords(event)]
}
