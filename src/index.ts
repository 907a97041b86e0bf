/** The public API of Troupe, and nothing else. */
export type {
  CancelReason,
  SerializedError,
  ExitStatus,
  SlotId,
  Verdict,
} from '../machines/protocol.ts'
export { configJsonSchema, type PoolOptions } from './config/parse.ts'
export {
  isTroupeError,
  TroupeError,
  type TroupeErrorCode,
} from './common/errors.ts'
export type { Logger, LogSink } from './common/logger.ts'
export type { MemoryLevel } from './pool/observe/memory-listeners.ts'
export {
  createPoolActor,
  PoolActor,
  type PoolMethods,
  type RequestOf,
  poolLogic,
  poolOf,
  type TasksModule,
} from './pool/actor.ts'
export type * from './api/task.ts'
export type * from './api/events.ts'
export type * from './api/status.ts'
export {
  defineTaskType,
  type StandardIssue,
  type StandardResult,
  type StandardSchema,
  type TaskType,
} from './task-types/task-type.ts'
export type * from './task-types/built-in.ts'
export type { TaskTypesOptions } from './api/task-types.ts'
export {
  defineTasks,
  type ProxySettings,
  type SessionContext,
  type SessionDefinition,
  type SessionFacts,
  type StorageState,
  type StoredCookie,
  task,
} from './tasks.ts'
export {
  type Artifact,
  type DefinedTasks,
  type DependencyOutcome,
  type DownloadOptions,
  type DownloadsOptions,
  type PlainTaskContext,
  type TaskContext,
  type TaskDefinition,
  type WorkerScriptContext,
} from './task/context.ts'
