/** The public API of Troupe, and nothing else. */
export type {
  CancelReason,
  ErrorFacts,
  ExitStatus,
  SlotId,
  Verdict,
} from '../machines/vocabulary.ts'
export { configJsonSchema, type PoolOptions } from './config.ts'
export {
  isTroupeError,
  TroupeError,
  type TroupeErrorCode,
} from './errors.ts'
export type { Logger, LogSink } from './logger.ts'
export {
  createPoolActor,
  PoolActor,
  type PoolMethods,
  poolLogic,
  poolOf,
  type TasksModule,
} from './pool.ts'
export type * from './pool-types.ts'
export {
  type Artifact,
  type DefinedTasks,
  type DownloadOptions,
  defineTasks,
  type PlainTaskContext,
  type SessionContext,
  type SessionDefinition,
  type SessionFacts,
  type TaskContext,
  type TaskDefinition,
  task,
} from './tasks.ts'
