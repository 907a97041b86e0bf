/** G1 across the death of the pool: real processes, a real file, real kills. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { SqliteStore } from '../../src/ledger/store/sqlite.ts'
import { sqliteSettings } from '../support/store-bench.ts'

const HOST = fileURLToPath(new URL('../fixtures/store-host.ts', import.meta.url))
const KILLS = 20
/** A host is killed once so many of its tasks were acknowledged, the kill's own chance aside. */
const LEAST_ACKNOWLEDGED = 100
const ROUND_LIMIT_MS = 20_000
const LOOK_MS = 5

/** Allowed in all, on a machine with much else to do. */
const LIMIT_MS = 180_000

let folder = ''
const hosts: ChildProcess[] = []
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'troupe-store-'))
})
afterAll(async () => {
  // Where the test has failed, a host may still be under load.
  for (const host of hosts) {
    if (host.exitCode !== null || host.signalCode !== null) continue
    host.kill('SIGKILL')
    await once(host, 'exit')
  }
  rmSync(folder, { recursive: true, force: true })
})

function start(durability: string, round: string): ChildProcess {
  const host = spawn(process.execPath, [HOST, folder, durability, round], {
    stdio: ['ignore', 'ignore', 'inherit'],
    // A host that is killed writes no cache, but it reads that of the first.
    env: { ...process.env, NODE_COMPILE_CACHE: join(folder, 'compiled') },
  })
  hosts.push(host)
  return host
}

function lines(name: string): string[] {
  const file = join(folder, name)
  return existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(0, -1) : []
}

async function grown(host: ChildProcess, bytes: number): Promise<void> {
  const size = () => statSync(join(folder, 'acknowledged'), { throwIfNoEntry: false })?.size ?? 0
  const from = size()
  const untilMs = performance.now() + ROUND_LIMIT_MS
  while (size() - from < bytes) {
    if (host.exitCode !== null) throw new Error(`the host ended by itself (${host.exitCode})`)
    if (performance.now() > untilMs) throw new Error('the host acknowledges nothing')
    await delay(LOOK_MS)
  }
}

function times(all: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>()
  for (const one of all) counts.set(one, (counts.get(one) ?? 0) + 1)
  return counts
}

describe('a pool with a durable store', () => {
  it(
    `loses nothing and ends nothing twice when its process is killed ${KILLS} times`,
    async () => {
      expect(await once(start('each', 'last'), 'exit')).toEqual([0, null])
      for (let round = 0; round < KILLS; round++) {
        const host = start(round % 2 === 0 ? 'each' : 'batched', String(round))
        const ended = once(host, 'exit')
        await grown(host, LEAST_ACKNOWLEDGED * `${round}-00-0\n`.length)
        await delay(Math.random() * 20)
        host.kill('SIGKILL')
        await ended
      }
      const last = start('each', 'last')
      expect(await once(last, 'exit')).toEqual([0, null])

      const acknowledged = lines('acknowledged')
      const reported = lines('reported')
      const ran = times(lines('ran'))
      const store = new SqliteStore(sqliteSettings(join(folder, 'pool.db')), {
        nowMs: () => 0,
        wallMs: Date.now,
      })
      try {
        const lost = acknowledged.filter((id) => store.find(id)?.state !== 'succeeded')
        const reportedTwice = [...times(reported.map((line) => line.split(' ')[0] as string))]
        const twice = reportedTwice.filter(([, count]) => count > 1)
        const never = reported.filter((line) => !line.endsWith('succeeded'))
        const repeated = [...ran.values()].filter((count) => count > 1).length
        process.stdout.write(
          `${KILLS} kills: ${acknowledged.length} acknowledged, ${lost.length} lost, ` +
            `${twice.length} ended twice, ${repeated} of ${ran.size} started again\n`,
        )
        expect(lost).toEqual([])
        expect(twice).toEqual([])
        expect(never).toEqual([])
        expect(acknowledged.length).toBeGreaterThanOrEqual(KILLS * LEAST_ACKNOWLEDGED)
        expect(new Set(acknowledged).size).toBe(acknowledged.length)
        // Each id was used once, so more ends than ids would be ends too many.
        expect(store.facts).toMatchObject({ unended: 0, ended: ran.size })
      } finally {
        store.close()
      }
    },
    LIMIT_MS,
  )
})
