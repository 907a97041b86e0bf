/** Signals to the processes of a worker: itself, its browser, a renderer, the zygote. */
import { setTimeout as delay } from 'node:timers/promises'
import { treeOf } from './graves.ts'
import type { Random } from './random.ts'
import type { Stage, Victim } from './stage.ts'

const LOOK_EVERY_MS = 20

type Part = 'renderer' | 'zygote'

/** SIGKILL to the worker: its slot comes back, its browser goes with it. */
export const workerKill = (stage: Stage, random: Random) =>
  stage.onVictim(random, async ({ slot, incarnation, pid, tree }) => {
    const ready = stage.nextReady(slot, incarnation + 1)
    const startedMs = performance.now()
    process.kill(pid, 'SIGKILL')
    stage.graves.watchProcesses(tree)
    await ready
    stage.measures.workerMs.push(performance.now() - startedMs)
  })

/** SIGSTOP to the worker: it is silent, which is found out. */
export const workerStop = (stage: Stage, random: Random) =>
  stage.onVictim(random, async ({ slot, incarnation, pid, tree }) => {
    const ready = stage.nextReady(slot, incarnation + 1)
    const exited = stage.nextExit(slot, incarnation)
    process.kill(pid, 'SIGSTOP')
    await exited
    stage.graves.watchProcesses(tree)
    await ready
  })

/** SIGKILL to the browser: the worker launches another. */
export const browserKill = (stage: Stage, random: Random) =>
  stage.onVictim(random, async ({ slot, incarnation, browserPid, tree, pid }) => {
    const ready = stage.nextReady(slot)
    const startedMs = performance.now()
    process.kill(browserPid, 'SIGKILL')
    stage.graves.watchProcesses(tree.filter((found) => found.pid !== pid))
    const { incarnation: now } = await ready
    if (now === incarnation) stage.measures.browserMs.push(performance.now() - startedMs)
  })

/** SIGSTOP to the browser: nothing answers, until the ladder's last rung. */
export const browserStop = (stage: Stage, random: Random) =>
  stage.onVictim(random, async ({ slot, browserPid }) => {
    const ready = stage.nextReady(slot)
    process.kill(browserPid, 'SIGSTOP')
    await ready
  })

export const rendererKill = strikePart('renderer', 'SIGKILL')
export const rendererStop = strikePart('renderer', 'SIGSTOP')
/** A browser without its zygote answers, and can open no more tabs. */
export const zygoteKill = strikePart('zygote', 'SIGKILL')
export const zygoteStop = strikePart('zygote', 'SIGSTOP')

function strikePart(part: Part, signal: NodeJS.Signals) {
  return (stage: Stage, random: Random) =>
    stage.onVictim(random, async (victim) => {
      const pid = await partOf(stage, victim, part, random)
      const serves = stage.serves(victim.slot)
      if (pid !== null) signalIfThere(pid, signal)
      await serves
    })
}

/**
 * Between two tabs there may be none for a moment; null when its worker has gone meanwhile. The pool is
 * asked, too: the number of a process that is gone is soon another's.
 */
async function partOf(
  stage: Stage,
  victim: Victim,
  part: Part,
  random: Random,
): Promise<number | null> {
  for (;;) {
    const tree = treeOf(victim.pid)
    if (tree.length === 0 || !stage.isThere(victim)) return null
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
