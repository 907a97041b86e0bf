/**
 * Set up before every file of the process and chaos layers: each pool there, and in every process
 * started there, is recorded, and afterwards taken again by the machines (G8).
 */
import { afterAll, expect } from 'vitest'
import { layerOf } from './coverage.ts'
import { checkPools, newTraceFolder, recordPools } from './traces.ts'

const folder = newTraceFolder()
recordPools(folder)
afterAll(() => checkPools(folder, layerOf(expect.getState().testPath ?? '')))
