/** The census can fail: it finds what a run would leave behind, however well it hides. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { nothingLeft, takeCensus } from '../support/census.ts'

/** Says its pid, becomes another program, which says so, and stays. */
const SLEEPER = 'echo $$; exec tail -v -f /dev/null'
const AWAKE = '==>'

const started = new Set<number>()
/** A test that fails must not leave its sleepers behind. */
afterEach(() => {
  for (const pid of started) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // It has ended, as it should.
    }
  }
  started.clear()
})

/** The pid, once the program has begun: in the moment of its exec a process has no command line. */
async function pidOf(child: ReturnType<typeof spawn>): Promise<number> {
  let heard = ''
  while (!heard.includes(AWAKE)) heard += String((await once(child.stdout ?? child, 'data'))[0])
  const pid = Number.parseInt(heard, 10)
  started.add(pid)
  return pid
}

function start(script: string, environment: NodeJS.ProcessEnv = process.env) {
  const stdio: ['ignore', 'pipe', 'ignore'] = ['ignore', 'pipe', 'ignore']
  return spawn('/bin/sh', ['-c', script], { detached: true, stdio, env: environment })
}

/** Ends the process and waits until nothing of it is left. */
async function endOf(pid: number, census: ReturnType<typeof takeCensus>): Promise<void> {
  process.kill(pid, 'SIGKILL')
  started.delete(pid)
  await nothingLeft(census, { withinMs: 2_000 })
}

test('a child is found, and its end is seen', async () => {
  using census = takeCensus()
  await nothingLeft(census, { withinMs: 0 })
  const pid = await pidOf(start(SLEEPER))
  expect(census.leftBehind().processes.map((found) => found.pid)).toEqual([pid])
  await expect(nothingLeft(census, { withinMs: 50 })).rejects.toThrow(`process ${pid} `)
  await endOf(pid, census)
  expect(census.seen().map((found) => found.pid)).toContain(pid)
})

test('an orphan never seen beside its parent is found by the mark it inherited', async () => {
  using census = takeCensus()
  const parent = start(`setsid /bin/sh -c '${SLEEPER}' & wait`)
  const pid = await pidOf(parent)
  parent.kill('SIGKILL')
  await once(parent, 'exit')
  expect(census.leftBehind().processes.map((found) => found.pid)).toEqual([pid])
  await endOf(pid, census)
})

test('an orphan without environment is found by its group, or by the root in its command', async () => {
  using census = takeCensus()
  const inGroup = start(`/bin/sh -c '${SLEEPER}' & wait`, {})
  const first = await pidOf(inGroup)
  census.look()
  inGroup.kill('SIGKILL')
  await once(inGroup, 'exit')
  expect(census.leftBehind().processes.map((found) => found.pid)).toEqual([first])

  const named = `tail -v -f /dev/null ${join(census.root, 'profile')}`
  const withRoot = start(`setsid /bin/sh -c 'echo $$; exec ${named} 2>/dev/null' & wait`, {})
  const second = await pidOf(withRoot)
  withRoot.kill('SIGKILL')
  await once(withRoot, 'exit')
  const left = census.leftBehind().processes.map((found) => found.pid)
  expect(left.sort()).toEqual([first, second].sort())
  process.kill(first, 'SIGKILL')
  started.delete(first)
  await endOf(second, census)
})

test('a folder is found; what was there before, and strangers, are not', async () => {
  await pidOf(start(SLEEPER))
  using census = takeCensus()
  mkdirSync(join(census.root, 'profile'))
  expect(census.leftBehind()).toEqual({ processes: [], folders: [join(census.root, 'profile')] })
})
