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
