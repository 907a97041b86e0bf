/** Signals to the processes of a worker: itself, its browser, a renderer, the zygote. */
import { setTimeout as delay } from 'node:timers/promises'
import { treeOf } from './graves.ts'
import type { Random } from './random.ts'
import type { Scenario, Victim } from './scenario.ts'

const LOOK_EVERY_MS = 20

type Part = 'renderer' | 'zygote'

/** SIGKILL to the worker: its slot comes back, its browser goes with it. */
export const workerKill = (scenario: Scenario, random: Random) =>
  scenario.onVictim(random, async ({ slot, incarnation, pid, tree }) => {
    const ready = scenario.nextReady(slot, incarnation + 1)
    const startedMs = performance.now()
    process.kill(pid, 'SIGKILL')
    scenario.graves.watchProcesses(tree)
    await ready
    scenario.measures.workerMs.push(performance.now() - startedMs)
  })

/** SIGSTOP to the worker: it is silent, which is found out. */
export const workerStop = (scenario: Scenario, random: Random) =>
  scenario.onVictim(random, async ({ slot, incarnation, pid, tree }) => {
    const ready = scenario.nextReady(slot, incarnation + 1)
    const exited = scenario.nextExit(slot, incarnation)
    process.kill(pid, 'SIGSTOP')
    await exited
    scenario.graves.watchProcesses(tree)
    await ready
  })

/** SIGKILL to the browser: the worker launches another. */
export const browserKill = (scenario: Scenario, random: Random) =>
  scenario.onVictim(random, async ({ slot, incarnation, browserPid, tree, pid }) => {
    const ready = scenario.nextReady(slot)
    const startedMs = performance.now()
    process.kill(browserPid, 'SIGKILL')
    scenario.graves.watchProcesses(tree.filter((found) => found.pid !== pid))
    const { incarnation: now } = await ready
    if (now === incarnation) scenario.measures.browserMs.push(performance.now() - startedMs)
  })

/** SIGSTOP to the browser: nothing answers, until the ladder's last rung. */
export const browserStop = (scenario: Scenario, random: Random) =>
  scenario.onVictim(random, async ({ slot, browserPid }) => {
    const ready = scenario.nextReady(slot)
    process.kill(browserPid, 'SIGSTOP')
    await ready
  })

export const rendererKill = injectPart('renderer', 'SIGKILL')
export const rendererStop = injectPart('renderer', 'SIGSTOP')
/** A browser without its zygote answers, and can open no more tabs. */
export const zygoteKill = injectPart('zygote', 'SIGKILL')
export const zygoteStop = injectPart('zygote', 'SIGSTOP')

function injectPart(part: Part, signal: NodeJS.Signals) {
  return (scenario: Scenario, random: Random) =>
    scenario.onVictim(random, async (victim) => {
      const pid = await partOf(scenario, victim, part, random)
      const serves = scenario.serves(victim.slot)
      if (pid !== null) signalIfThere(pid, signal)
      await serves
    })
}

/**
 * Between two tabs there may be none for a moment; null when its worker has gone meanwhile. The pool is
 * asked, too: the number of a process that is gone is soon another's.
 */
async function partOf(
  scenario: Scenario,
  victim: Victim,
  part: Part,
  random: Random,
): Promise<number | null> {
  for (;;) {
    const tree = treeOf(victim.pid)
    if (tree.length === 0 || !scenario.isThere(victim)) return null
    const parts = tree.filter(({ command }) => command.includes(`--type=${part}`))
    if (parts.length > 0) return random.pick(parts).pid
    await delay(LOOK_EVERY_MS)
  }
}

/** A renderer may have ended since it was seen. */
function signalIfThere(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
