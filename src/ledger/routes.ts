/**
 * The ways of being served: tasks that the same workers can run share a route. Before the task file
 * is known, a task's session is what it says; afterwards a task without a browser runs anywhere, and
 * where there is but one session, so does every task.
 */
import { DEFAULT_SESSION } from '../../machines/order-policy.ts'
import { Lane } from './lines.ts'
import type { TaskRecord } from './record.ts'

/** Routes that are kept without a task on them; sessions and capabilities are few. */
export const MAX_ROUTES = 1_024
const SEPARATOR = '\n'

/** What a worker offers. */
export interface Offer {
  readonly session: string
  readonly capabilities: ReadonlySet<string>
}

export class Route {
  readonly key: string
  /** Null: any. */
  readonly session: string | null
  readonly requires: readonly string[]
  /** By priority; made when first needed. */
  readonly lanes: (Lane | undefined)[] = []
  /** Lanes with a line in its turn, by priority. */
  readonly open: Lane[] = []
  /** Tasks in their turn: those of groups at their limit aside. */
  waiting = 0
  /** Tasks in all. */
  size = 0
  /** Why no worker can ever run its tasks; null when one can, undefined before that was asked. */
  refusal: string | null | undefined = undefined

  constructor(key: string, session: string | null, requires: readonly string[]) {
    this.key = key
    this.session = session
    this.requires = requires
  }

  get isPlain(): boolean {
    return this.session === null && this.requires.length === 0
  }

  /** Whether such a worker can run its tasks. */
  fits({ session, capabilities }: Offer): boolean {
    if (this.session !== null && this.session !== session) return false
    if (this.requires.length === 0) return true
    return this.requires.every((capability) => capabilities.has(capability))
  }

  laneOf(priority: number): Lane {
    let lane = this.lanes[priority]
    if (lane === undefined) {
      lane = new Lane(this, priority)
      this.lanes[priority] = lane
    }
    return lane
  }
}

/** What a task file declares, as far as it matters to the order. */
export interface KnownTasks {
  readonly sessions: ReadonlySet<string>
  /** Names of the tasks that need no browser. */
  readonly plain: ReadonlySet<string>
}

export class Routes {
  readonly #routes = new Map<string, Route>()
  readonly #plain = this.#route('', null, [])
  #known: KnownTasks | null = null

  get known(): KnownTasks | null {
    return this.#known
  }

  get all(): Iterable<Route> {
    return this.#routes.values()
  }

  /** True when tasks that wait may now be on another route. */
  learn(known: KnownTasks): boolean {
    const before = this.#known
    this.#known = known
    return before === null || !isSame(before.sessions, known.sessions)
  }

  of({ name, options }: TaskRecord): Route {
    const session = this.#sessionOf(name, options.session)
    const { requires } = options
    if (requires === undefined) {
      return session === null ? this.#plain : this.#route(session + SEPARATOR, session, [])
    }
    const key = `${session ?? ''}${SEPARATOR}${requires.join(SEPARATOR)}`
    return this.#route(key, session, requires)
  }

  /** Nothing waits in it any more. */
  forget(route: Route): void {
    if (this.#routes.size > MAX_ROUTES && route !== this.#plain) this.#routes.delete(route.key)
  }

  #sessionOf(name: string, session: string): string | null {
    const known = this.#known
    if (known === null) return session === DEFAULT_SESSION ? null : session
    if (!known.sessions.has(session)) return session
    return known.sessions.size === 1 || known.plain.has(name) ? null : session
  }

  #route(key: string, session: string | null, requires: readonly string[]): Route {
    let route = this.#routes.get(key)
    if (route === undefined) {
      route = new Route(key, session, requires)
      this.#routes.set(key, route)
    }
    return route
  }
}

function isSame(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  return a.size === b.size && [...a].every((name) => b.has(name))
}
