/**
 * Faults of the process that a pool lives in. Each is done to a process of its own, with a pool and
 * a browser in it.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { processesNaming, runsIn } from './graves.ts'
import type { Random } from './random.ts'
import type { Scenario } from './scenario.ts'

const HOST = new URL('./chaos-host.ts', import.meta.url).pathname

/** A process with a pool, and the lines it has said. */
class Host {
  readonly root: string
  readonly child: ChildProcess
  readonly #said = new Set<string>()
  readonly #waiting = new Map<string, () => void>()

  constructor(root: string) {
    this.root = root
    this.child = spawn(process.execPath, [HOST, root], { stdio: ['ignore', 'pipe', 'inherit'] })
    if (this.child.stdout === null) throw new Error('the host has no output')
    createInterface({ input: this.child.stdout }).on('line', (line) => {
      this.#said.add(line)
      this.#waiting.get(line)?.()
    })
  }

  async says(line: string): Promise<void> {
    if (!this.#said.has(line)) await new Promise<void>((done) => this.#waiting.set(line, done))
  }

  async ends(): Promise<NodeJS.Signals | null> {
    const { exitCode, signalCode } = this.child
    if (exitCode !== null || signalCode !== null) return signalCode
    const [, signal] = await once(this.child, 'exit')
    return signal as NodeJS.Signals | null
  }
}

/** Ctrl-C, and once more while it shuts down: it dies of that signal, with all it had. */
export async function doubleInterrupt(scenario: Scenario): Promise<void> {
  const host = new Host(freshRoot(scenario))
  await host.says('up')
  host.child.kill('SIGINT')
  await host.says('stopping')
  host.child.kill('SIGINT')
  const signal = await host.ends()
  if (signal !== 'SIGINT') throw new Error(`a host ended by ${signal}, not by SIGINT`)
  leavesNothing(scenario, host.root)
}

/**
 * SIGKILL to the pool's own process, as it starts or as it works; then a new start over the same
 * folder.
 */
export async function poolKill(scenario: Scenario, random: Random): Promise<void> {
  const root = freshRoot(scenario)
  const host = new Host(root)
  const moment = random.pick(['starting', 'ready', 'up'])
  await host.says(moment)
  // Without its guardian, which comes late in a start, only the next start can remove the folder.
  const isUnguarded = moment === 'starting' || random.next() < 0.5
  if (isUnguarded) killGuardian(root)
  host.child.kill('SIGKILL')
  await host.ends()
  if (isUnguarded) scenario.graves.watch(() => processesNaming(root))
  else leavesNothing(scenario, root)
  await scenario.graves.settled()
  const next = new Host(root)
  await next.says('up')
  const runs = runsIn(root)
  if (runs.length !== 1) throw new Error(`the next start left ${runs.length - 1} dead run folders`)
  next.child.kill('SIGTERM')
  await next.says('stopping')
  next.child.kill('SIGTERM')
  await next.ends()
  leavesNothing(scenario, root)
}

function freshRoot(scenario: Scenario): string {
  return mkdtempSync(join(scenario.hostRoots, 'host-'))
}

function leavesNothing(scenario: Scenario, root: string): void {
  scenario.graves.watch(() => processesNaming(root))
  scenario.graves.watchRuns(root)
}

function killGuardian(root: string): void {
  for (const { pid, command } of processesNaming(root)) {
    if (command.startsWith('/bin/sh')) process.kill(pid, 'SIGKILL')
  }
}
