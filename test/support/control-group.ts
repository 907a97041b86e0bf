/**
 * A control group of the test's own below the one it runs in, with a limit of memory, where the
 * system lets it make one. It moves nobody but the process it is told to start.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type MemoryGroup, memoryGroups } from '../../src/monitor/cgroup.ts'

const FILES = {
  1: { limit: 'memory.limit_in_bytes', kills: 'memory.oom_control' },
  2: { limit: 'memory.max', kills: 'memory.events' },
} as const

class ControlGroup implements Disposable {
  readonly #group: MemoryGroup

  constructor(group: MemoryGroup) {
    this.#group = group
  }

  /** Runs Node in it. */
  start(args: readonly string[]): ChildProcess {
    const enter = `echo $$ > '${join(this.#group.folder, 'cgroup.procs')}' && exec "$0" "$@"`
    return spawn('/bin/sh', ['-c', enter, process.execPath, ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
  }

  /** Processes that the kernel has killed for want of memory; null where it does not count them. */
  killed(): number | null {
    const text = readFileSync(join(this.#group.folder, FILES[this.#group.version].kills), 'utf8')
    const found = /^oom_kill (\d+)$/m.exec(text)?.[1]
    return found === undefined ? null : Number(found)
  }

  [Symbol.dispose](): void {
    rmdirSync(this.#group.folder)
  }
}

/** Null, with the reason, where none can be made. */
export function makeControlGroup(limitBytes: number): ControlGroup | string {
  const [own] = memoryGroups()
  if (own === undefined) return 'no control group counts memory here'
  const folder = join(own.folder, `troupe-test-${process.pid}`)
  try {
    mkdirSync(folder)
  } catch (error) {
    return `no group can be made here: ${(error as Error).message}`
  }
  try {
    writeFileSync(join(folder, FILES[own.version].limit), String(limitBytes))
    return new ControlGroup({ version: own.version, folder })
  } catch (error) {
    rmdirSync(folder)
    return `a group cannot be limited here: ${(error as Error).message}`
  }
}
