/**
 * G2, G3. Disposable processes: what runs in them cannot get out, is bounded, and is gone before its task
 * has ended, whoever dies. Each escape is tried in the sandbox and without it; what the guard without
 * a sandbox does not stop is asserted, too, so that nobody takes it for one.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer, type Server, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import type { PoolOptions, TaskOutcome } from '../../src/index.ts'
import { isAlive, processesUnder } from '../../src/process/process-group.ts'
import { findMeans, testSandbox } from '../../src/sandbox/probe.ts'
import { parseConfig } from '../../src/config/parse.ts'
import { nothingLeft, takeCensus } from '../support/census.ts'
import { PLAIN_TASKS, type PlainTasks, poolUnderTest } from '../support/pool-under-test.ts'

const HOST = new URL('../fixtures/disposable-host.ts', import.meta.url).pathname
const { taskTypes: DEFAULTS } = parseConfig({ tasks: PLAIN_TASKS })
const found = await testSandbox(DEFAULTS, null)
const SANDBOX = found.kind === 'bubblewrap' ? '' : ` (not here: ${found.reason})`
const hasPrlimit = (await findMeans({ ...DEFAULTS, allow: ['execute-code'] }))?.prlimit !== null

type Types = NonNullable<PoolOptions['taskTypes']>
const NODE = process.execPath
let seconds = 0
/** For what must come, on a machine that may be busy. */
const PATIENT = { timeout: 30_000 }
let folder = ''
let server: Server
let port = 0
let calls = 0

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'troupe-escape-'))
  writeFileSync(join(folder, 'secret'), 'a secret')
  symlinkSync(join(folder, 'secret'), join(folder, 'link'))
  server = createServer((socket) => {
    calls++
    socket.end('hello')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  port = (server.address() as AddressInfo).port
})
afterAll(() => {
  server.close()
  rmSync(folder, { recursive: true, force: true })
})
beforeEach(() => {
  calls = 0
  // Names the processes of one test.
  seconds = 1_000 + Math.floor(Math.random() * 1e9) / 1e4
})

function disposablePool(types: Types, options: Partial<PoolOptions> = {}) {
  const troupe = poolUnderTest<PlainTasks>({
    tasks: PLAIN_TASKS,
    workers: 1,
    taskTypes: {
      allow: ['execute-code', 'shell-command'],
      commands: ['sh', 'dd', 'sleep', NODE],
      unsafe: true,
      ...types,
    },
    ...options,
    task: { attempts: 1, ...options.task },
  })
  troupe.pool.start()
  return troupe
}

const sleepers = () => processesUnder(`sleep\0${seconds}`).pids.filter(isAlive)
const errorOf = (outcome: TaskOutcome) => (outcome.status === 'succeeded' ? null : outcome.error)

/** What code tries to get at, and a word for what it got. */
const escapes = (victim: number) => ({
  environment: `return process.env.TROUPE_SECRET ?? 'stopped'`,
  files: `return fs.readFileSync('${folder}/secret', 'utf8')`,
  'a symbolic link': `return fs.readFileSync('${folder}/link', 'utf8')`,
  'writing a file': `fs.writeFileSync('${folder}/trace', ''); return 'written'`,
  sqlite: `const { DatabaseSync } = await get('node:sqlite')
    new DatabaseSync('${folder}/trace.db').exec('create table t (a)'); return 'written'`,
  'child processes': `return (await get('node:child_process')).execFileSync('cat', ['${folder}/secret']) + ''`,
  workers: `const { Worker } = await get('node:worker_threads')
    const read = "require('node:fs').readFileSync('${folder}/secret', 'utf8')"
    const tell = \`require('node:worker_threads').parentPort.postMessage(\${read})\`
    const worker = new Worker(tell, { eval: true })
    return new Promise((resolve, reject) => {
      worker.on('message', resolve)
      worker.on('error', reject)
    })`,
  'the processes of others': `process.kill(${victim}, 'SIGKILL'); return 'killed'`,
  network: `const net = await get('node:net')
    return new Promise((resolve, reject) => {
      const socket = net.connect(${port}, '127.0.0.1')
      socket.on('data', (data) => resolve(String(data)))
      socket.on('error', reject)
    })`,
})
type Escape = keyof ReturnType<typeof escapes>
const NAMES = Object.keys(escapes(0)) as Escape[]

const TOOLS = `const get = (name) => import(name); const fs = await get('node:fs')`
type Try = (pool: ReturnType<typeof disposablePool>['pool'], code: string) => Promise<unknown>

/** Tries all escapes; gives what each has got, or `stopped`, and whether its victim still lives. */
async function tryAll(types: Types, attempt: Try) {
  const got: Record<string, unknown> = {}
  const victim = spawn('sleep', ['100'], { stdio: 'ignore' })
  const gone = once(victim, 'exit')
  process.env['TROUPE_SECRET'] = 'a secret'
  try {
    await using troupe = disposablePool(types)
    for (const [name, code] of Object.entries(escapes(victim.pid ?? 0))) {
      got[name] = await attempt(troupe.pool, `${TOOLS}\n${code}`).catch(() => 'stopped')
    }
    return { got, isVictimAlive: isAlive(victim.pid ?? 0) }
  } finally {
    delete process.env['TROUPE_SECRET']
    victim.kill('SIGKILL')
    await gone
  }
}

const asCode: Try = async (pool, code) => (await pool.run('execute-code', { code })).value

/** As a program of its own: no permission model, nothing taken away. */
const asProgram: Try = async (pool, code) => {
  const program = `(async () => { ${code} })().then((said) => process.stdout.write(said))`
  const { stdout } = await pool.run('shell-command', { command: NODE, args: ['-e', program] })
  return stdout
}
const allStopped = Object.fromEntries(NAMES.map((name) => [name, 'stopped']))
/** Enough for the threads that are one of the escapes. */
const ROOMY = { memory: 2 ** 32 }

describe.runIf(found.kind === 'bubblewrap')(`in the sandbox${SANDBOX}`, () => {
  test.each([
    ['code', asCode],
    ['a program, without the permission model,', asProgram],
  ])('%s escapes in no way', async (_, attempt) => {
    const types = { sandbox: 'required', unsafe: false, limits: ROOMY } as const
    expect(await tryAll(types, attempt)).toEqual({ got: allStopped, isVictimAlive: true })
    expect(calls).toBe(0)
  })

  test('its temporary folder is there, bounded, and gone afterwards', async () => {
    await using troupe = disposablePool({ sandbox: 'required', limits: { fileSize: 2 ** 20 } })
    const write = (count: number) =>
      troupe.pool.submit('shell-command', {
        command: 'dd',
        args: ['if=/dev/zero', 'of=/tmp/x', 'bs=1024', `count=${count}`],
      })
    expect(await write(500).outcome()).toMatchObject({ status: 'succeeded' })
    expect(errorOf(await write(2_000).outcome())).toMatchObject({ code: 'TASK_FAILED' })
    const { stdout } = await troupe.pool.run('shell-command', { command: 'sh', args: ['-c', 'ls'] })
    expect(stdout).toBe('')
  })
})

describe('without a sandbox', () => {
  test('the guard stops code from everything but the network', async () => {
    expect(await tryAll({ sandbox: 'off', limits: ROOMY }, asCode)).toEqual({
      got: { ...allStopped, network: 'hello' },
      isVictimAlive: true,
    })
  })

  test('nothing but its environment is kept from a program', async () => {
    expect(await tryAll({ sandbox: 'off', limits: ROOMY }, asProgram)).toEqual({
      got: {
        environment: 'stopped',
        files: 'a secret',
        'a symbolic link': 'a secret',
        'writing a file': 'written',
        sqlite: 'written',
        'child processes': 'a secret',
        workers: 'a secret',
        'the processes of others': 'killed',
        network: 'hello',
      },
      isVictimAlive: false,
    })
  })

  test('shell-command keeps its pool from starting, unless it may be unsafe', async () => {
    await using troupe = disposablePool({ sandbox: 'off', unsafe: false })
    await vi.waitFor(() => expect(troupe.pool.status().state).toBe('error'), PATIENT)
    expect(troupe.pool.status().lastError).toContain('shell-command needs a sandbox')
  })

  test('bubblewrap that fails its self-test is none: what insists on one is refused', async () => {
    const starved = { ...DEFAULTS, limits: { ...DEFAULTS.limits, memory: 1 } }
    const facts = { ...starved, allow: ['execute-code'] as const, sandbox: 'required' as const }
    await expect(findMeans(facts)).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringMatching(/sandbox is required, and there is none: .*bubblewrap/),
    })
  })
})

const modes: [string, Types][] = [
  ...(found.kind === 'bubblewrap' ? [['sandboxed', {}] as [string, Types]] : []),
  ['guarded', { sandbox: 'off' }],
]

describe.each(modes)('a %s disposable process', (_, types) => {
  let troupe: ReturnType<typeof disposablePool>
  beforeAll(() => {
    troupe = disposablePool({ ...types, limits: { output: 1_000, cpu: 1 } })
  })
  afterAll(() => troupe[Symbol.asyncDispose]())
  const run = (code: string, input?: unknown) => troupe.pool.run('execute-code', { code, input })
  const shell = (...args: string[]) => ({ command: 'sh', args: ['-c', ...args] })
  const twoSleepers = () => shell(`sleep ${seconds} & sleep ${seconds}`)

  test('computes, prints and fails as told', async () => {
    const code = `console.log('out'); console.error('err'); return { sum: input.a + input.b }`
    expect(await run(code, { a: 1, b: 2 })).toMatchObject({
      value: { sum: 3 },
      stdout: 'out\n',
      stderr: 'err\n',
      truncated: false,
    })
    await expect(run('throw new RangeError("too far")')).rejects.toMatchObject({
      code: 'TASK_FAILED',
      message: 'too far',
    })
    await expect(run('process.exit(3)')).rejects.toMatchObject({
      message: expect.stringContaining('exit code 3'),
    })
    const failing = shell('echo no >&2; exit 7')
    await expect(troupe.pool.run('shell-command', failing)).rejects.toMatchObject({
      message: expect.stringMatching(/exit code 7.* no/),
    })
    const expected = { ...failing, exitCodes: [7] }
    expect(await troupe.pool.run('shell-command', expected)).toMatchObject({ exitCode: 7 })
  })

  test('gets its arguments as they are, and its input', async () => {
    const command = shell('cat; for a; do printf "<%s>" "$a"; done', 'sh', '$(id)', '; ls', '*', '')
    const { stdout } = await troupe.pool.run('shell-command', { ...command, input: 'in ' })
    expect(stdout).toBe('in <$(id)><; ls><*><>')
  })

  test('keeps no more of its output than its limit', async () => {
    const { value, stdout, truncated } = await run(`const line = 'x'.repeat(99) + '\\n'
      for (let i = 0; i < 10_000; i++) process.stdout.write(line)
      return 'done'`)
    expect({ value, bytes: stdout.length, truncated }).toEqual({
      value: 'done',
      bytes: 1_000,
      truncated: true,
    })
  })

  test('is stopped by its own limit on time', async () => {
    const slow = { code: 'for (;;);', timeout: 200 }
    await expect(troupe.pool.run('execute-code', slow)).rejects.toMatchObject({
      code: 'TASK_TIMED_OUT',
    })
  })

  test.runIf(hasPrlimit)('is stopped by its limits on memory and processor', async () => {
    const hungry = run('const all = []; for (;;) all.push(Buffer.alloc(5e7, 1))')
    await expect(hungry).rejects.toMatchObject({ code: 'TASK_FAILED' })
    await expect(run('for (;;);')).rejects.toMatchObject({
      code: 'TASK_FAILED',
      message: expect.stringContaining('without a result'),
    })
  })

  test('leaves nothing running when it ends by itself', async () => {
    await troupe.pool.run('shell-command', shell(`sleep ${seconds} & exit 0`))
    expect(sleepers()).toEqual([])
  })

  test('is gone with all it started when its task is reported cancelled', async () => {
    const handle = troupe.pool.submit('shell-command', twoSleepers())
    await vi.waitFor(() => expect(sleepers()).toHaveLength(2), PATIENT)
    handle.cancel()
    const outcome = await handle.outcome()
    expect(sleepers()).toEqual([])
    expect(outcome).toMatchObject({ status: 'cancelled', worker: 'worker-1' })
    expect(troupe.pool.status().processesStarted).toBe(1)
  })

  test('goes with its worker, before the loss is reported', async () => {
    const handle = troupe.pool.submit('shell-command', twoSleepers())
    await vi.waitFor(() => expect(sleepers()).toHaveLength(2), PATIENT)
    process.kill(troupe.pool.status().workers[0]?.pid ?? 0, 'SIGKILL')
    const outcome = await handle.outcome()
    expect(sleepers()).toEqual([])
    expect(errorOf(outcome)).toMatchObject({ code: 'WORKER_LOST' })
  })
})

describe.each(modes)('a %s disposable process', (_, types) => {
  test('goes with its pool', async () => {
    using census = takeCensus()
    const args = [HOST, census.root, types.sandbox ?? 'auto', String(seconds)]
    const host = spawn(NODE, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    await once(host.stdout, 'data')
    census.look()
    expect(sleepers()).toHaveLength(2)
    host.kill('SIGKILL')
    await nothingLeft(census, { withinMs: 2_000 })
    expect(sleepers()).toEqual([])
  })
})
