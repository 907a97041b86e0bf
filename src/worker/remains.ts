/**
 * What a worker may have left running: its browser and its disposable processes, found by the folder that
 * names them on their command lines. They are killed and waited for before anybody hears of the worker's
 * end. It knows nothing of the worker itself.
 */
import { attemptAll } from '../errors.ts'
import { disposableFolder } from './disposable-mark.ts'
import { browsersOn, isAlive, isGroupAlive, killGroup } from './process-group.ts'
import type { ChildBirth } from './protocol.ts'

/** A killed process is dead long before this; it is not waited for any longer. */
const DEATH_LIMIT_MS = 1_000
const DEATH_POLL_MS = 5

interface Bereaved {
  readonly birth: ChildBirth
  readonly browserPid: number | null
  readonly profileFolder: string | null
}

/** Kills what is left of a worker; calls `done` once it is dead. */
export function buryRemains(worker: Bereaved, done: () => void): void {
  const left = new Set(foldersOf(worker).flatMap((folder) => browsersOn(folder)))
  attemptAll([...left].map((pid) => () => killGroup(pid, 'SIGKILL')))
  if (worker.browserPid !== null) left.add(worker.browserPid)
  const limitMs = performance.now() + DEATH_LIMIT_MS
  // A killed browser takes a moment to die, and till then it writes to the profile.
  const look = (): void => {
    const isOver = ![...left].some((pid) => isAlive(pid) || isGroupAlive(pid))
    if (isOver || performance.now() >= limitMs) done()
    else setTimeout(look, DEATH_POLL_MS)
  }
  look()
}

function foldersOf({ birth, profileFolder }: Bereaved): string[] {
  const folders = profileFolder === null ? [] : [profileFolder]
  if ((birth.taskTypes?.disposable ?? null) !== null) folders.push(disposableFolder(birth))
  return folders
}
