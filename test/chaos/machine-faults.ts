/**
 * Faults of what is around the workers: the disk, the base profile, the site's memory of who is
 * logged in.
 */
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Random } from './random.ts'
import type { Stage } from './stage.ts'

/** A worker dies while the disk is full: it can't come back, until it can. */
export const fullDisk = (stage: Stage, random: Random) =>
  stage.onVictim(random, async ({ slot, incarnation, pid, tree }) => {
    const ready = stage.nextReady(slot, incarnation + 1)
    // With luck a browser starts on a full disk, too.
    const tried = Promise.race([stage.nextExit(slot, incarnation + 1), ready])
    stage.disk.fill()
    try {
      process.kill(pid, 'SIGKILL')
      stage.graves.watchProcesses(tree)
      await tried
    } finally {
      stage.disk.empty()
    }
    await ready
  })

/** The pool's own copy of the base profile is damaged; the next worker must not start from it. */
export const damagedBase = (stage: Stage, random: Random) =>
  stage.onVictim(random, async ({ slot, incarnation, pid, tree }) => {
    const ready = stage.nextReady(slot, incarnation + 1)
    const [run = ''] = readdirSync(stage.root)
    const profiles = join(stage.root, run, 'profiles')
    const copy = readdirSync(profiles).find((name) => name.startsWith('base.')) ?? ''
    writeFileSync(join(profiles, copy, 'Default', 'Preferences'), '{"half":')
    process.kill(pid, 'SIGKILL')
    stage.graves.watchProcesses(tree)
    await ready
    await stage.serves(slot)
  })

/** Every login is gone at once, with tasks under way. */
export async function expiredLogin(stage: Stage): Promise<void> {
  await stage.next('task.started')
  await stage.site.expire()
  const ready = stage.pool.status().workers.filter(({ slot }) => stage.isReady(slot))
  await Promise.race(ready.map(({ slot }) => stage.serves(slot)))
}
