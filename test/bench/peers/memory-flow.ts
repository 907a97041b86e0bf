/** What both contestants of the memory row share: how many workers, and how their size is read and printed. */
import { processTree, pssBytes } from '../process-tree.ts'
import { printFigures } from './flow.ts'

export const MEMORY_WORKERS = 4
export const [, , executablePath = '', pageUrl = ''] = process.argv
const BYTES_PER_MB = 1_000_000

/** PSS in MB of one worker with its browser, on average over the workers named. */
export function memoryPerWorker(workerPids: readonly number[]): number {
  return pssBytes(workerPids.flatMap(processTree)) / workerPids.length / BYTES_PER_MB
}

export function printMemory(megabytes: number): void {
  printFigures({ megabytes })
}
