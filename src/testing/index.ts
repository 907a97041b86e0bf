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
export { checkConformance, problemText, TraceCheck } from './conformance/conformance.ts'
export { type ConformanceReport, type TraceProblem } from './conformance/trace-tally.ts'
export { type SettleOptions, type TroupeMatchers, troupeMatchers } from './matchers.ts'
export {
  violationIn,
  violationOfCleanEnd,
  violationOfFork,
  violationOfRun,
  type PoolView,
  pendingIn,
} from './pool-invariants.ts'
export {
  type CommandedPool,
  type DrivenPool,
  POOL_COMMAND_NAMES,
  type PoolOracle,
  poolOracle,
  type PoolCommand,
  type PoolCommandName,
  poolCommands,
  type PoolCommandsOptions,
  type PoolPhase,
  runPoolCommands,
  type RunCommandsOptions,
} from './commands/pool-commands.ts'
export {
  type PathFilter,
  type PoolModel,
  poolModel,
  type PoolModelCoverage,
} from './model/pool-model.ts'
export {
  type PoolModelStep,
  type PoolPath,
  type WalkablePool,
  type WalkOptions,
} from './model/pool-walk.ts'
export { type PoolModelEvent } from './model/pool-model-logic.ts'
export {
  FAULT_NAMES,
  FAULTS,
  type FaultName,
  type FaultRule,
  type Faults,
} from './simulation/faults.ts'
export {
  type PoolSimulation,
  type SimulateOptions,
  simulatePool,
  type SimulationReport,
  type Scenario,
} from './simulation/simulate-pool.ts'
