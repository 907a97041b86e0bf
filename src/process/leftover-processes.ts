/**
 * What a worker may have left running: its browser and its disposable processes, found by the folder that
 * names them on their command lines. They are killed and waited for before anybody hears of the worker's
 * end. It knows nothing of the worker itself.
 */
import { attemptAll } from '../common/errors.ts'
import { disposableFolder } from './ipc/disposable-mark.ts'
import { browsersOn, groupLifeOf, killGroup, lifeOf } from './process-group.ts'
import type { WorkerInit } from './ipc/protocol.ts'

/**
 * A killed process is dead long before this; one that is seen to live is not waited for any longer.
 * What cannot be seen is: the limit begins anew.
 */
const DEATH_LIMIT_MS = 1_000
const DEATH_POLL_MS = 5
/** While nothing can be seen, no faster than this. */
const BLIND_POLL_MS = 100

interface Bereaved {
  readonly init: WorkerInit
  readonly browserPid: number | null
  readonly profileFolder: string | null
}

/** Kills what is left of a worker; calls `done` once it is dead. */
export function reapLeftovers(worker: Bereaved, done: () => void): void {
  const left = new Set<number>(worker.browserPid === null ? [] : [worker.browserPid])
  let isWhole = false
  let limitMs = 0
  // A killed browser takes a moment to die, and till then it writes to the profile.
  const look = (): void => {
    if (!isWhole) {
      isWhole = killFound(worker, left)
      limitMs = performance.now() + DEATH_LIMIT_MS
    }
    const lives = new Set([...left].flatMap((pid) => [lifeOf(pid), groupLifeOf(pid)]))
    const isBlind = !isWhole || lives.has('unknown')
    if (isBlind) limitMs = performance.now() + DEATH_LIMIT_MS
    const isOver = !isBlind && !lives.has('alive')
    if (isOver || performance.now() >= limitMs) done()
    else setTimeout(look, isBlind ? BLIND_POLL_MS : DEATH_POLL_MS)
  }
  look()
}

/** False when some could not be looked at. */
function killFound(worker: Bereaved, left: Set<number>): boolean {
  const found = foldersOf(worker).map((folder) => browsersOn(folder))
  const pids = found.flatMap((each) => each.pids)
  for (const pid of pids) left.add(pid)
  attemptAll(pids.map((pid) => () => killGroup(pid, 'SIGKILL')))
  return found.every((each) => each.isWhole)
}

function foldersOf({ init, profileFolder }: Bereaved): string[] {
  const folders = profileFolder === null ? [] : [profileFolder]
  if ((init.taskTypes?.disposable ?? null) !== null) folders.push(disposableFolder(init))
  return folders
}
