/**
 * Faults of what is around the workers: the disk, the base profile, the site's memory of who is
 * logged in.
 */
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Random } from './random.ts'
import type { Scenario } from './scenario.ts'

/** A worker dies while the disk is full: it can't come back, until it can. */
export const fullDisk = (scenario: Scenario, random: Random) =>
  scenario.onVictim(random, async ({ slot, incarnation, pid, tree }) => {
    const ready = scenario.nextReady(slot, incarnation + 1)
    // With luck a browser starts on a full disk, too.
    const tried = Promise.race([scenario.nextExit(slot, incarnation + 1), ready])
    scenario.disk.fill()
    try {
      process.kill(pid, 'SIGKILL')
      scenario.graves.watchProcesses(tree)
      await tried
    } finally {
      scenario.disk.empty()
    }
    await ready
  })

/** The pool's own copy of the base profile is damaged; the next worker must not start from it. */
export const damagedBase = (scenario: Scenario, random: Random) =>
  scenario.onVictim(random, async ({ slot, incarnation, pid, tree }) => {
    const ready = scenario.nextReady(slot, incarnation + 1)
    const [run = ''] = readdirSync(scenario.root)
    const profiles = join(scenario.root, run, 'profiles')
    const copy = readdirSync(profiles).find((name) => name.startsWith('base.')) ?? ''
    writeFileSync(join(profiles, copy, 'Default', 'Preferences'), '{"half":')
    process.kill(pid, 'SIGKILL')
    scenario.graves.watchProcesses(tree)
    await ready
    await scenario.serves(slot)
  })

/** Every login is gone at once, with tasks under way. */
export async function expiredLogin(scenario: Scenario): Promise<void> {
  await scenario.next('task.started')
  await scenario.site.expire()
  const ready = scenario.pool.status().workers.filter(({ slot }) => scenario.isReady(slot))
  await Promise.race(ready.map(({ slot }) => scenario.serves(slot)))
}
