/**
 * The ways of being served: tasks that the same workers can run share a route. Before the task file
 * is known, a task's session is what it says; afterwards a task without a browser runs anywhere, and
 * where there is but one session, so does every task.
 */
import { DEFAULT_SESSION } from '../../../machines/order-policy.ts'
import { RequirementClass } from './queue-lists.ts'
import type { TaskRecord } from '../task/record.ts'

/** Routes that are kept without a task on them; sessions and capabilities are few. */
const MAX_REQUIREMENT_CLASSES = 1_024
const SEPARATOR = '\n'

/** What a task file declares, as far as it matters to the order. */
export interface KnownTasks {
  readonly sessions: ReadonlySet<string>
  /** Names of the tasks that need no browser. */
  readonly plain: ReadonlySet<string>
}

export class RequirementClasses {
  readonly #demands = new Map<string, RequirementClass>()
  readonly #plain = this.#demand('', null, [])
  #known: KnownTasks | null = null

  get known(): KnownTasks | null {
    return this.#known
  }

  get all(): Iterable<RequirementClass> {
    return this.#demands.values()
  }

  /** True when tasks that wait may now be on another route. */
  learn(known: KnownTasks): boolean {
    const before = this.#known
    this.#known = known
    return before === null || !isSame(before.sessions, known.sessions)
  }

  of({ name, options }: TaskRecord): RequirementClass {
    const session = this.#sessionOf(name, options.session)
    const { requires } = options
    if (requires === undefined) {
      return session === null ? this.#plain : this.#demand(session + SEPARATOR, session, [])
    }
    const key = `${session ?? ''}${SEPARATOR}${requires.join(SEPARATOR)}`
    return this.#demand(key, session, requires)
  }

  /** Nothing waits in it any more. */
  forget(demand: RequirementClass): void {
    if (this.#demands.size > MAX_REQUIREMENT_CLASSES && demand !== this.#plain)
      this.#demands.delete(demand.key)
  }

  #sessionOf(name: string, session: string): string | null {
    const known = this.#known
    if (known === null) return session === DEFAULT_SESSION ? null : session
    if (!known.sessions.has(session)) return session
    return known.sessions.size === 1 || known.plain.has(name) ? null : session
  }

  #demand(key: string, session: string | null, requires: readonly string[]): RequirementClass {
    let demand = this.#demands.get(key)
    if (demand === undefined) {
      demand = new RequirementClass(key, session, requires)
      this.#demands.set(key, demand)
    }
    return demand
  }
}

function isSame(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  return a.size === b.size && [...a].every((name) => b.has(name))
}
