/**
 * How the tests run. `fast` holds whatever needs no process of its own; `process` forks workers and
 * browsers; `matrix` is the fault matrix in two halves; all run two files at a time (three are no
 * faster on two cores). `alone` runs one: it loads the machine by itself, or says how long something
 * takes. `field` runs strangers' programs against the packed package, here for 60 s at most.
 */
import { defineConfig } from 'vitest/config'

const ALONE = [
  'test/chaos/**/*.test.ts',
  'test/process/{demo-run,demo-census,package}.test.ts',
  'test/behaviour/memory.test.ts',
]
const MATRIX = 'test/process/matrix*.test.ts'
const FIELD = 'test/field/**/*.test.ts'
const HEAVY = ['test/{process,behaviour}/**/*.test.ts', FIELD, ...ALONE]
/** XState warns of misuse only under this condition. */
const execArgv = ['--conditions=development']
const common = { environment: 'node', pool: 'forks', execArgv } as const
const heavy = {
  ...common,
  setupFiles: ['test/support/pinned-browser.ts', 'test/support/recorded-pools.ts'],
  testTimeout: 60_000,
  hookTimeout: 60_000,
  teardownTimeout: 10_000,
} as const

export default defineConfig({
  resolve: { conditions: ['development', 'node', 'default'] },
  ssr: { resolve: { conditions: ['development', 'node', 'default'] } },
  test: {
    maxWorkers: 2,
    projects: [
      {
        extends: true,
        test: {
          ...common,
          name: 'fast',
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
          ...heavy,
          name: 'process',
          include: ['test/{process,behaviour}/**/*.test.ts'],
          exclude: [MATRIX, ...ALONE],
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: { ...heavy, name: 'matrix', include: [MATRIX], sequence: { groupOrder: 2 } },
      },
      {
        extends: true,
        test: {
          ...heavy,
          name: 'alone',
          include: ALONE,
          fileParallelism: false,
          sequence: { groupOrder: 3 },
        },
      },
      {
        extends: true,
        test: {
          ...common,
          name: 'field',
          include: [FIELD],
          globalSetup: ['test/field/support/field-setup.ts'],
          setupFiles: ['test/field/support/short-form.ts'],
          testTimeout: 120_000,
          hookTimeout: 60_000,
          sequence: { groupOrder: 4 },
        },
      },
    ],
  },
})
