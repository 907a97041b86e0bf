/**
 * What commands ask of a pool and of the machine it runs on. Types only.
 */
import type { PoolEvents } from '../../api/events.ts'
import type { PoolStatus } from '../../api/status.ts'
import type { TaskHandle, TaskOptions, TaskOutcome } from '../../api/task.ts'

/** As the pool's status names it. */
export type Top = PoolStatus['state']
/** Where a pool stands, for its user. */
export type PoolPhase = Top | 'draining' | 'pausedDraining'

/** What is asked of a pool; `simulatePool` makes one. */
export interface DrivenPool {
  getSnapshot(): unknown
  on<T extends keyof PoolEvents>(
    type: T,
    listener: (event: PoolEvents[T]) => void,
  ): { unsubscribe(): void }
  start(): unknown
  submit(name: never, payload: never, options?: TaskOptions): TaskHandle
  submitAll(tasks: never): readonly TaskHandle[]
  run(name: never, payload: never, options?: TaskOptions): Promise<unknown>
  map(name: never, payloads: never, options?: never): AsyncIterable<TaskOutcome>
  accepting(): Promise<void>
  pause(): void
  resume(): void
  recover(): void
  scale(workers: number): Promise<void>
  scaleUp(by?: number): Promise<void>
  scaleDown(by?: number): Promise<void>
  setGroupLimit(group: string, limit: number): void
  drain(): Promise<void>
  shutdown(options?: { readonly force?: boolean }): Promise<void>
  status(): PoolStatus
  readonly deadLetters: {
    redriveAll(): { readonly redriven: readonly TaskHandle[] }
    list(): { readonly letters: readonly { readonly id: string }[] }
  }
}
