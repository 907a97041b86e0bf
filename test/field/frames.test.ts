/**
 * What task code does to its own process and its channel: it may spoil the attempts of that process. The
 * program lives, and what runs elsewhere is right.
 */
import { expect, test } from 'vitest'
import { stranger } from './support/stranger.ts'

const TASKS = `
  import { defineTasks, task } from 'troupe'
  import { writeSync } from 'node:fs'
  import { serialize } from 'node:v8'
  const plain = { browser: false }
  const wasm = () => new WebAssembly.Module(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]))
  const said = (value) => {
    const bytes = serialize(value)
    const length = Buffer.alloc(4)
    length.writeUInt32LE(bytes.length)
    return Buffer.concat([length, bytes])
  }
  const write = async (bytes) => {
    writeSync(3, bytes)
    await new Promise(() => setInterval(() => {}, 1_000))
  }
  const frame = (...items) => said({ incarnation: 1, items })
  const LIES = {
    noise: () => Buffer.from('{"cmd":"NODE_CLUSTER"}\\n'.repeat(50)),
    huge: () => Buffer.from([255, 255, 255, 255, 1, 2, 3]),
    unreadable: () => Buffer.from([4, 0, 0, 0, 255, 15, 87, 0]),
    'no frame': () => said(null),
    level: () => frame({ kind: 'log', level: 'fatal', message: 'x', fields: {} }),
    'null tasks': () => frame({ kind: 'loaded', tasks: [null], sessions: [] }),
    'loaded twice': () =>
      frame({
        kind: 'loaded',
        tasks: [{ name: 'echo', browser: true }],
        sessions: [{ name: 'default', baseProfile: null }],
      }),
    'another end': () =>
      frame({ kind: 'ended', token: 7, runMs: 1, verdict: 'ok', value: 'forged' }),
    'old end': (id) =>
      frame({ kind: 'ended', taskId: id, attempt: 1, runMs: 1, verdict: 'ok', value: 'forged' }),
    'odd error': () =>
      frame({ kind: 'ended', token: 7, runMs: 1, verdict: 'permanent', error: { code: 1 } }),
    browser: () => frame({ kind: 'sessionReady', browserPid: process.ppid }),
  }
  export default defineTasks({
    echo: task(plain, async ({ payload }) => {
      await new Promise((resolve) => setTimeout(resolve, 20))
      return payload
    }),
    returns: task(plain, () => ({ deep: [wasm()] })),
    reports: task(plain, ({ progress }) => progress(wasm())),
    logs: task(plain, ({ log }) => {
      log('compiled', { module: wasm() })
      return 'logged'
    }),
    throws: task(plain, () => {
      const error = new Error('odd')
      throw Object.assign(error, { stack: 42, code: wasm(), name: null, cause: wasm() })
    }),
    sends: task(plain, () => {
      const can = typeof process.send
      process.send?.({ junk: true })
      process.disconnect?.()
      return [can, process.connected ?? null, process.env.NODE_CHANNEL_FD ?? null]
    }),
    lies: task(plain, ({ payload, taskId }) => write(LIES[payload](taskId))),
  })
`
const POOL = `
  import { createPoolActor } from 'troupe'
  const TASKS = new URL('./tasks.mjs', import.meta.url)
  const LIES = ['noise', 'huge', 'unreadable', 'no frame', 'level', 'null tasks', 'loaded twice',
    'another end', 'old end', 'odd error', 'browser']
  const begin = (options = {}) =>
    createPoolActor({ tasks: TASKS, workers: 1, logger: 'silent', ...options }).start()
  const say = (facts) => console.log(JSON.stringify(facts))
  const told = (promise) => promise.then((value) => value, (error) => error.code)
`
const run = (main: string) => stranger({ 'main.mjs': POOL + main, 'tasks.mjs': TASKS })

// From outside: the host died of an uncaught exception of Node's own channel.
test('returns, reports and logs a compiled WebAssembly module', async () => {
  const { code, lines, left } = await run(`
    for (const options of [{}, { parallel: false }]) {
      await using pool = begin(options)
      const exits = []
      pool.on('worker.exited', ({ cause }) => exits.push(cause))
      for (const name of ['returns', 'reports', 'logs', 'throws']) {
        say(await told(pool.run(name, null, { attempts: 1 })))
      }
      say([await told(pool.run('echo', 'after')), exits])
    }
  `)
  expect({ code, left }).toEqual({ code: 0, left: [] })
  const each = ['PAYLOAD_INVALID', 'PAYLOAD_INVALID', 'logged', 'TASK_FAILED', ['after', []]]
  expect(lines).toEqual([...each, ...each])
})

// From outside: a library that found process.send spoke to the pool through it.
test('finds no process.send, and nothing to disconnect', async () => {
  const { code, lines, left } = await run(`
    await using pool = begin()
    say(await told(pool.run('sends', null)))
    say(await told(pool.run('echo', 'after')))
  `)
  expect({ code, left }).toEqual({ code: 0, left: [] })
  expect(lines).toEqual([['undefined', null, null], 'after'])
})

// From outside: half-checked frames were believed, or ended the host.
test('writes anything at all into the channel of its own process', async () => {
  const { code, lines, left, stderr } = await run(`
    await using pool = begin({ workers: 2 })
    const exits = []
    pool.on('worker.exited', ({ cause }) => exits.push(cause))
    await Promise.all([told(pool.run('echo', 0)), told(pool.run('echo', 1))])
    for (const lie of LIES) {
      const others = Array.from({ length: 20 }, (_, n) => told(pool.run('echo', n)))
      const liar = told(pool.run('lies', lie, { attempts: 1, timeout: 10_000, priority: 0 }))
      const values = await Promise.all(others)
      say([lie, await liar, values.every((value, n) => value === n)])
    }
    say([exits.length, exits.every((cause) => cause === 'violated'), pool.status().state])
  `)
  expect({ code, left, stderr }).toEqual({ code: 0, left: [], stderr: '' })
  expect(lines.slice(0, -1)).toEqual(
    lines.slice(0, -1).map((line) => [(line as string[])[0], 'WORKER_LOST', true]),
  )
  expect(lines.at(-1)).toEqual([11, true, 'running'])
})

// From outside: readdirSync('/proc') threw in a timer, and the slot stayed in killing for good.
test('uses up all descriptors of its process while a worker dies', async () => {
  const { code, lines, left } = await run(`
    import { closeSync, openSync } from 'node:fs'
    import { spawnSync } from 'node:child_process'
    if (process.argv[2] === undefined) {
      const again = [process.execPath, import.meta.filename, 'limited']
      const { status, stdout } = spawnSync('/bin/sh', ['-c', 'ulimit -n 200; exec "$@"', 'sh', ...again])
      process.stdout.write(stdout)
      process.exit(status ?? 1)
    }
    // What such a type has started is looked for in /proc when its worker is dead.
    const taskTypes = { allow: ['shell-command'], commands: ['true'], sandbox: 'off', unsafe: true }
    const restart = { minBackoff: 50, maxBackoff: 200, intensity: 100 }
    await using pool = begin({ workers: 2, restart, taskTypes })
    await Promise.all([told(pool.run('echo', 0)), told(pool.run('echo', 1))])
    const held = []
    const fill = () => {
      try { for (;;) held.push(openSync('/dev/null')) } catch (error) { return error.code }
    }
    say(fill())
    // Whatever the dead worker's pipes give back is taken at once.
    let filling = setImmediate(function again() {
      fill()
      filling = setImmediate(again)
    })
    const gone = new Promise((resolve) => pool.on('worker.exited', ({ cause }) => resolve(cause)))
    process.kill(pool.status().workers[0].pid, 'SIGKILL')
    say(await told(pool.run('echo', 2)))
    await new Promise((resolve) => setTimeout(resolve, 1_500))
    clearImmediate(filling)
    for (const descriptor of held) closeSync(descriptor)
    say(await gone)
    while (pool.status().activeWorkers < 2) await new Promise((resolve) => setTimeout(resolve, 20))
    say(await Promise.all([3, 4].map((n) => told(pool.run('echo', n)))))
  `)
  expect({ code, left }).toEqual({ code: 0, left: [] })
  expect(lines).toEqual(['EMFILE', 2, 'crashed', [3, 4]])
})
