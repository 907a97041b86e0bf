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
export type { MemoryLevel } from './pool/memory.ts'
export {
  createPoolActor,
  PoolActor,
  type PoolMethods,
  type RequestOf,
  poolLogic,
  poolOf,
  type TasksModule,
} from './pool.ts'
export type * from './pool/types.ts'
export {
  defineTaskType,
  type StandardIssue,
  type StandardResult,
  type StandardSchema,
  type TaskType,
} from './task-types/task-type.ts'
export type * from './task-types/built-in.ts'
export type { TaskTypesOptions } from './task-types/options.ts'
export {
  type Artifact,
  type DefinedTasks,
  type DependencyOutcome,
  type DownloadOptions,
  type DownloadsOptions,
  defineTasks,
  type PlainTaskContext,
  type ProxySettings,
  type SessionContext,
  type SessionDefinition,
  type SessionFacts,
  type StorageState,
  type StoredCookie,
  type TaskContext,
  type TaskDefinition,
  task,
  type WorkerScriptContext,
} from './tasks.ts'
