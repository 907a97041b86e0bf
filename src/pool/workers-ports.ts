/** What the workers of a pool need of it, and what is known of each of them. */
import type { ProcessId } from '../../machines/worker-messages.ts'
import type { Logger } from '../common/logger.ts'
import type { ChildTaskTypes } from '../process/ipc/child-types.ts'
import type { PoolEventEmitter } from './observe/emitter.ts'
import type { Router } from './router.ts'
import type { Run, World } from './host/world.ts'

export interface WorkersPorts {
  readonly world: World
  readonly logger: Logger
  readonly events: PoolEventEmitter
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
export interface SlotStats {
  processesStarted: number
  tasksExecuted: number
  rssBytes: number
  lastError: string | null
}
