/**
 * How the tests run. `fast` holds whatever needs no process of its own and runs in parallel; `process` forks workers
 * and browsers, one file at a time, so that its timings mean something on two cores.
 */
import { defineConfig } from 'vitest/config'

const HEAVY = ['test/process/**/*.test.ts', 'test/chaos/**/*.test.ts']
/** XState warns of misuse only under this condition. */
const execArgv = ['--conditions=development']

export default defineConfig({
  resolve: { conditions: ['development', 'node', 'default'] },
  ssr: { resolve: { conditions: ['development', 'node', 'default'] } },
  test: {
    maxWorkers: 2,
    projects: [
      {
        extends: true,
        test: {
          name: 'fast',
          environment: 'node',
          pool: 'forks',
          execArgv,
          include: ['test/**/*.test.ts'],
          exclude: [...HEAVY, 'test/bench/**'],
          testTimeout: 30_000,
          hookTimeout: 30_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: 'process',
          environment: 'node',
          pool: 'forks',
          execArgv,
          fileParallelism: false,
          include: HEAVY,
          setupFiles: ['test/support/recorded-pools.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          teardownTimeout: 10_000,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
})
