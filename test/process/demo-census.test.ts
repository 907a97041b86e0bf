/** The census can fail: it finds what a run would leave behind, however well it hides. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { nothingLeft, takeCensus } from '../support/census.ts'

/** Says its pid and stays. */
const SLEEPER = 'echo $$; exec sleep 60'

async function firstLine(child: ReturnType<typeof spawn>): Promise<number> {
  const [chunk] = await once(child.stdout ?? child, 'data')
  return Number.parseInt(String(chunk), 10)
}

function start(script: string, environment: NodeJS.ProcessEnv = process.env) {
  const stdio: ['ignore', 'pipe', 'ignore'] = ['ignore', 'pipe', 'ignore']
  return spawn('/bin/sh', ['-c', script], { detached: true, stdio, env: environment })
}

/** Ends the process and waits until nothing of it is left. */
async function endOf(pid: number, census: ReturnType<typeof takeCensus>): Promise<void> {
  process.kill(pid, 'SIGKILL')
  await nothingLeft(census, { withinMs: 2_000 })
}

test('a child is found, and its end is seen', async () => {
  using census = takeCensus()
  await nothingLeft(census, { withinMs: 0 })
  const pid = await firstLine(start(SLEEPER))
  expect(census.leftBehind().processes.map((found) => found.pid)).toEqual([pid])
  await expect(nothingLeft(census, { withinMs: 50 })).rejects.toThrow(`process ${pid} `)
  await endOf(pid, census)
  expect(census.seen().map((found) => found.pid)).toContain(pid)
})

test('an orphan never seen beside its parent is found by the mark it inherited', async () => {
  using census = takeCensus()
  const parent = start(`setsid /bin/sh -c '${SLEEPER}' & wait`)
  const pid = await firstLine(parent)
  parent.kill('SIGKILL')
  await once(parent, 'exit')
  expect(census.leftBehind().processes.map((found) => found.pid)).toEqual([pid])
  await endOf(pid, census)
})

test('an orphan without environment is found by its group, or by the root in its command', async () => {
  using census = takeCensus()
  const inGroup = start(`/bin/sh -c '${SLEEPER}' & wait`, {})
  const first = await firstLine(inGroup)
  census.look()
  inGroup.kill('SIGKILL')
  await once(inGroup, 'exit')
  expect(census.leftBehind().processes.map((found) => found.pid)).toEqual([first])

  const named = `tail --retry -f /dev/null ${join(census.root, 'profile')}`
  const withRoot = start(`setsid /bin/sh -c 'echo $$; exec ${named} 2>/dev/null' & wait`, {})
  const second = await firstLine(withRoot)
  withRoot.kill('SIGKILL')
  await once(withRoot, 'exit')
  const left = census.leftBehind().processes.map((found) => found.pid)
  expect(left.sort()).toEqual([first, second].sort())
  process.kill(first, 'SIGKILL')
  await endOf(second, census)
})

test('a folder is found; what was there before, and strangers, are not', async () => {
  const earlier = await firstLine(start(SLEEPER))
  using census = takeCensus()
  mkdirSync(join(census.root, 'profile'))
  expect(census.leftBehind()).toEqual({ processes: [], folders: [join(census.root, 'profile')] })
  process.kill(earlier, 'SIGKILL')
})
