/** What users import to test their own pools: the machines themselves, and the census of what a run leaves behind. */
export {
  type MachineId,
  machines,
  poolMachine,
  sessionMachine,
  shutdownMachine,
  supervisorMachine,
  taskMachine,
  workerMachine,
} from '../../machines/index.ts'
export {
  type Census,
  type Leftovers,
  leftAfter,
  type ProcessFacts,
  takeCensus,
} from './census.ts'
export {
  type FastCheck,
  faultPlans,
  poolEvents,
  type TaskPlan,
  taskPlans,
} from './arbitraries.ts'
export {
  checkConformance,
  type ConformanceReport,
  problemText,
  TraceCheck,
  type TraceProblem,
} from './conformance.ts'
export { type SettleOptions, type TroupeMatchers, troupeMatchers } from './matchers.ts'
export {
  flawIn,
  flawOfCleanEnd,
  flawOfFork,
  flawOfRun,
  type PoolView,
  unrestIn,
} from './pool-invariants.ts'
export {
  type CommandedPool,
  type DrivenPool,
  POOL_COMMAND_NAMES,
  type PoolBooks,
  poolBooks,
  type PoolCommand,
  type PoolCommandName,
  poolCommands,
  type PoolCommandsOptions,
  type PoolStand,
  runPoolCommands,
  type RunCommandsOptions,
} from './pool-commands.ts'
export {
  type PathFilter,
  type PoolModel,
  poolModel,
  type PoolModelCoverage,
  type PoolModelEvent,
  type PoolModelStep,
  type PoolPath,
} from './pool-model.ts'
export type { WalkablePool, WalkOptions } from './pool-walk.ts'
export { FAULT_NAMES, FAULTS, type FaultName, type FaultRule, type Faults } from './faults.ts'
export {
  type PoolSimulation,
  type SimulateOptions,
  simulatePool,
  type SimulationReport,
  type Stage,
} from './simulate-pool.ts'
