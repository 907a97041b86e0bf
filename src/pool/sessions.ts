/**
 * The books of a pool's sessions: which the task file defines, which process holds which, and how
 * often each has logged in. It never chooses: the session of a process is decided when it opens.
 */
import type { SlotId } from '../../machines/protocol.ts'
import type { ProcessId } from '../../machines/worker-messages.ts'
import type { SessionStatus } from '../api/status.ts'
import { keyOf } from '../common/process-key.ts'
import { DEFAULT_SESSION } from '../task/session-definition.ts'
import type { SessionManifest } from '../process/ipc/protocol.ts'

const PLAIN: SessionManifest = { name: DEFAULT_SESSION, baseProfile: null }

export class PoolSessions {
  /** Logins of all workers, in all sessions. */
  logins = 0
  /** By name, as the task file defines them; before it is loaded, the default alone. */
  #known: ReadonlyMap<string, SessionManifest> = new Map([[DEFAULT_SESSION, PLAIN]])
  readonly #held = new Map<string, { readonly id: ProcessId; readonly name: string }>()
  readonly #loginsOf = new Map<string, number>()

  learn(sessions: readonly SessionManifest[]): void {
    if (sessions.length > 0) this.#known = new Map(sessions.map((one) => [one.name, one]))
  }

  names(): string[] {
    return [...this.#known.keys()]
  }

  /** The process opens the session `name`, or the default when the task file has none of that name. */
  open(id: ProcessId, name: string): SessionManifest {
    const session = this.#known.get(name) ?? this.#known.get(DEFAULT_SESSION) ?? PLAIN
    this.#held.set(keyOf(id), { id, name: session.name })
    return session
  }

  /** Null until the process was told which session to open. */
  of(id: ProcessId): string | null {
    return this.#held.get(keyOf(id))?.name ?? null
  }

  /** The session of each process that has one, whether it is ready yet or not. */
  holders(): readonly { readonly id: ProcessId; readonly name: string }[] {
    return [...this.#held.values()]
  }

  noteLogin(id: ProcessId): void {
    this.logins++
    const name = this.of(id) ?? DEFAULT_SESSION
    this.#loginsOf.set(name, (this.#loginsOf.get(name) ?? 0) + 1)
  }

  /** The process is gone. */
  forget(id: ProcessId): void {
    this.#held.delete(keyOf(id))
  }

  status(): SessionStatus[] {
    return this.names().map((name) => ({
      name,
      logins: this.#loginsOf.get(name) ?? 0,
      workers: this.#slotsOf(name),
    }))
  }

  #slotsOf(name: string): SlotId[] {
    const slots = new Set<SlotId>()
    for (const held of this.#held.values()) if (held.name === name) slots.add(held.id.slot)
    return [...slots]
  }
}
