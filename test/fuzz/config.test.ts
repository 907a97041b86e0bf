/**
 * Whatever is given as options, it is either taken, complete and within its limits, or refused as
 * CONFIG_INVALID by the name of the field. Nothing else is ever thrown.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  configJsonSchema,
  parseConfig,
  parseMapOptions,
  parseTaskOptions,
} from '../../src/config/parse.ts'
import { isTroupeError } from '../../src/common/errors.ts'
import { DEFAULT_TASK_OPTIONS } from '../../src/config/task-options.ts'

const TASKS = { tasks: './tasks.ts' }
const PLAIN_NAMES = Object.keys(parseConfig(TASKS))
const TASK_NAMES = Object.keys(DEFAULT_TASK_OPTIONS)

function refusal(parse: () => unknown): string | null {
  try {
    parse()
    return null
  } catch (error) {
    expect(isTroupeError(error, 'CONFIG_INVALID'), String(error)).toBe(true)
    return (error as Error).message
  }
}

describe('parseConfig', () => {
  it('throws nothing but CONFIG_INVALID, whatever JSON it gets', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), (input) => {
        refusal(() => parseConfig(input))
      }),
      { numRuns: 500 },
    )
  })

  it('throws nothing but CONFIG_INVALID, whatever stands at a name it knows', () => {
    const value = fc.oneof(fc.anything(), fc.integer(), fc.constantFrom(0, -1, 0.5, Infinity, NaN))
    const options = fc.dictionary(fc.constantFrom(...PLAIN_NAMES), value, { maxKeys: 4 })
    fc.assert(
      fc.property(options, (input) => {
        const reported = refusal(() => parseConfig({ ...TASKS, ...input }))
        if (reported === null) return
        const named = Object.keys(input).some((key) => reported.includes(key))
        expect(named, reported).toBe(true)
      }),
      { numRuns: 1_000 },
    )
  })

  it('survives inputs that fight back', () => {
    const hostile = new Proxy(
      {},
      {
        ownKeys: () => {
          throw new Error('no keys for you')
        },
      },
    )
    expect(refusal(() => parseConfig(hostile))).toContain('cannot be read')
    expect(refusal(() => parseConfig(JSON.parse('{"__proto__":{"tasks":"x"}}')))).not.toBeNull()
    expect(refusal(() => parseConfig({ ...TASKS, ['x'.repeat(100_000)]: 1 }))?.length).toBeLessThan(
      2_000,
    )
  })

  it('names the option that was probably meant', () => {
    expect(refusal(() => parseConfig({ ...TASKS, wrokers: 2 }))).toContain('did you mean workers?')
    expect(refusal(() => parseConfig({ ...TASKS, timeout: 2 }))).toContain('task.timeout')
    expect(refusal(() => parseConfig({ ...TASKS, retries: 2 }))).toContain('task.attempts')
    expect(refusal(() => parseConfig({ ...TASKS, browser: { headles: true } }))).toContain(
      'browser.headless',
    )
  })

  it('tells everything that is wrong at once, one line a field', () => {
    const message = refusal(() =>
      parseConfig({ workers: 0, memoryThreshold: 75, restart: { minBackoff: 9, maxBackoff: 3 } }),
    )
    const lines = message
      ?.split('\n')
      .slice(1)
      .map((line) => line.trim().split(' ')[0])
    expect(lines?.sort()).toEqual(['memoryThreshold', 'restart.maxBackoff', 'tasks', 'workers'])
  })

  it('fills in the defaults', () => {
    const config = parseConfig({ ...TASKS, workers: 6 })
    expect(config.tasks).toMatch(/^file:\/\/.*\/tasks\.ts$/)
    expect(config).toMatchObject({ workers: 6, minWorkers: 6, maxWorkers: 6, closeTimeout: 10_000 })
    expect(config.restart.intensity).toBe(12)
    expect(config.task).toEqual(DEFAULT_TASK_OPTIONS)
    expect(Object.isFrozen(config)).toBe(true)
    expect(parseConfig({ ...TASKS, maxWorkers: 9 })).toMatchObject({ workers: 1, maxWorkers: 9 })
    expect(parseConfig({ ...TASKS, workers: 2 }).restart.intensity).toBe(5)
  })

  it('refuses numbers of workers that contradict each other', () => {
    expect(refusal(() => parseConfig({ ...TASKS, workers: 2, maxWorkers: 4 }))).toContain('workers')
    expect(refusal(() => parseConfig({ ...TASKS, minWorkers: 5, maxWorkers: 4 }))).toContain(
      'maxWorkers must not be less than minWorkers (5)',
    )
  })

  it('refuses limits and spares that make no sense together', () => {
    const limits = { maxWorkerMemory: 2 ** 30, maxWorkerMemoryHard: 2 ** 29 }
    expect(refusal(() => parseConfig({ ...TASKS, ...limits }))).toContain(
      'maxWorkerMemoryHard must be more than maxWorkerMemory',
    )
    expect(refusal(() => parseConfig({ ...TASKS, parallel: false, standby: 1 }))).toContain(
      'standby is for a pool of processes',
    )
    expect(refusal(() => parseConfig({ ...TASKS, sequentialBelow: 3, standby: 1 }))).toContain(
      'standby is for a pool of processes',
    )
    expect(parseConfig({ ...TASKS, maxWorkerMemoryHard: 2 ** 29, standby: 2 })).toMatchObject({
      standby: 2,
      idleTimeout: 60_000,
      maxWorkerMemory: 0,
    })
  })

  it('describes itself as JSON Schema, strict as it is', () => {
    const schema = configJsonSchema()
    expect(schema).toMatchObject({
      type: 'object',
      required: ['tasks'],
      additionalProperties: false,
    })
    expect(Object.keys(schema.properties as object)).toContain('concurrentTasksPerWorker')
  })
})

describe('parseTaskOptions', () => {
  const number = fc.oneof(
    fc.integer({ min: -2, max: 200 }),
    fc.double(),
    fc.constantFrom(2 ** 31 - 1, 2 ** 31, '3', null),
  )
  const backoff = fc.record(
    {
      type: fc.constantFrom('fixed', 'exponential', 'linear'),
      delay: number,
      jitter: fc.oneof(fc.double({ min: 0, max: 1 }), fc.double()),
      maxDelay: number,
      other: fc.boolean(),
    },
    { requiredKeys: [] },
  )
  const options = fc.record(
    {
      priority: fc.oneof(number, fc.constantFrom('urgent', 'high', 'normal', 'low', 'toString')),
      attempts: number,
      backoff,
      timeout: number,
      queueTimeout: number,
      deadline: number,
      delay: number,
      idempotent: fc.oneof(fc.boolean(), fc.constant('yes')),
      retryOn: fc.oneof(fc.array(fc.string(), { maxLength: 70 }), fc.constant('ECONNRESET')),
      dependencyFailure: fc.constantFrom('fail', 'run', 'wait', 1),
      metadata: fc.oneof(fc.dictionary(fc.string(), fc.jsonValue(), { maxKeys: 3 }), fc.string()),
    },
    { requiredKeys: [] },
  )

  it('takes and refuses what the schema of the pool takes and refuses', () => {
    fc.assert(
      fc.property(options, (input) => {
        const byHand = refusal(() => parseTaskOptions(input as never, DEFAULT_TASK_OPTIONS))
        const bySchema = refusal(() => parseConfig({ ...TASKS, task: input }))
        expect(byHand === null, `${byHand} / ${bySchema}`).toBe(bySchema === null)
        if (byHand !== null) return
        const parsed = parseTaskOptions(input as never, DEFAULT_TASK_OPTIONS)
        expect(parseConfig({ ...TASKS, task: input }).task).toEqual(parsed)
      }),
      { numRuns: 2_000 },
    )
  })

  it('throws nothing but CONFIG_INVALID, and names the option', () => {
    const known = fc.dictionary(fc.constantFrom(...TASK_NAMES), fc.anything(), { maxKeys: 3 })
    fc.assert(
      fc.property(fc.oneof(known, fc.anything()), (input) => {
        const reported = refusal(() => parseTaskOptions(input as never, DEFAULT_TASK_OPTIONS))
        if (reported === null || typeof input !== 'object' || input === null) return
        const names = [...Object.keys(input), 'task options']
        expect(
          names.some((name) => reported.includes(name)),
          reported,
        ).toBe(true)
      }),
      { numRuns: 2_000 },
    )
  })

  it('gives the shared defaults back when nothing is asked for', () => {
    expect(parseTaskOptions(undefined, DEFAULT_TASK_OPTIONS)).toBe(DEFAULT_TASK_OPTIONS)
    const plain = parseMapOptions(undefined, DEFAULT_TASK_OPTIONS)
    expect(plain.taskFor(1)).toBe(DEFAULT_TASK_OPTIONS)
    const wide = parseMapOptions({ concurrency: 3 }, DEFAULT_TASK_OPTIONS)
    expect(wide).toMatchObject({ concurrency: 3, ordered: false })
    expect(wide.taskFor(1)).toEqual(DEFAULT_TASK_OPTIONS)
  })

  it.each<[string, object, string]>([
    ['an id that is no text', { id: 7 }, 'id must be a string'],
    ['an empty key', { cache: { key: '' } }, 'cache.key must be a string of 1 to 1024'],
    ['a key alone', { deduplication: 'k' }, 'deduplication must be an object'],
    ['a negative ttl', { cache: { key: 'k', ttl: -1 } }, 'cache.ttl must be a whole number'],
    ['a ttl of another name', { cache: { key: 'k', age: 1 } }, 'cache.age is not an option'],
    ['a dependency that is no list', { dependsOn: 'a' }, 'dependsOn must be an array'],
    ['a hole among dependencies', { dependsOn: ['a', undefined] }, 'dependsOn[1] must be'],
    ['a dependency named twice', { dependsOn: ['a', 'a'] }, 'dependsOn names the task a twice'],
    ['another word for failure', { dependencyFailure: 'skip' }, 'dependencyFailure must be one of'],
    ['too many names', { retryOn: Array(65).fill('E') }, 'retryOn must have at most 64 entries'],
    ['a negative delay', { delay: -1 }, 'delay must be a whole number of ms from 0'],
    ['a priority out of range', { priority: 101 }, 'priority must be a whole number from 0 to 100'],
  ])('refuses %s by name', (_, input, message) => {
    const reported = refusal(() => parseTaskOptions(input as never, DEFAULT_TASK_OPTIONS))
    expect(reported).toContain(message)
  })

  it('lets a map choose ids and keys by payload, and checks what it chose', () => {
    const key = (payload: unknown) => String(payload)
    const { taskFor } = parseMapOptions({ id: key, cache: { key, ttl: 5 } }, DEFAULT_TASK_OPTIONS)
    expect(taskFor('a')).toMatchObject({ id: 'a', cache: { key: 'a', ttl: 5 } })
    expect(refusal(() => taskFor(''))).toContain('id must be a string of 1 to 256 characters')
    for (const fixed of [{ id: 'a' }, { cache: { key: 'k' } }, { deduplication: { key: 'k' } }]) {
      const reported = refusal(() => parseMapOptions(fixed as never, DEFAULT_TASK_OPTIONS))
      expect(reported).toContain('cannot be one for a whole map')
    }
  })

  it('makes a pool that is not parallel one worker with one task at a time', () => {
    const wide = { tasks: './tasks.ts', workers: 8, concurrentTasksPerWorker: 4 }
    expect(parseConfig({ ...wide, parallel: false })).toMatchObject({
      minWorkers: 1,
      maxWorkers: 1,
      concurrentTasksPerWorker: 1,
    })
  })

  it('treats undefined as not given, and a longer first delay as a longer cap', () => {
    const parsed = parseTaskOptions(
      { timeout: undefined, backoff: { delay: 60_000 } } as never,
      DEFAULT_TASK_OPTIONS,
    )
    expect(parsed.timeout).toBe(DEFAULT_TASK_OPTIONS.timeout)
    expect(parsed.backoff.maxDelay).toBe(60_000)
  })
})
