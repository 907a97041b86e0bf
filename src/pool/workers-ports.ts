/** What the workers of a pool need of it, and what is known of each of them. */
import type { ProcessId } from '../../machines/worker-words.ts'
import type { Logger } from '../logger.ts'
import type { ChildTaskTypes } from '../worker/child-types.ts'
import type { PoolNews } from './events.ts'
import type { Router } from './router.ts'
import type { Run, World } from './world.ts'

export interface WorkersPorts {
  readonly world: World
  readonly logger: Logger
  readonly news: PoolNews
  run(): Run
  typesForChild(): ChildTaskTypes
  readonly router: Pick<Router, 'send'>
  /** Where the session's steps are recorded, if anywhere. */
  traceFor(id: ProcessId): string | undefined
  /** Something that has to do with this process threw. */
  failed(id: ProcessId, port: string, error: unknown): void
  /** Which session the process shall open. */
  chooseSession(id: ProcessId): string
}

/** What is known of a slot beyond its machine. */
export interface SlotFacts {
  processesStarted: number
  tasksExecuted: number
  rssBytes: number
  lastError: string | null
}
