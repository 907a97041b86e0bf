/** Whose a store is, over real processes: whatever its host opens, however it is reached or lost. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  cpSync,
  linkSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { isTroupeError } from '../../src/common/errors.ts'
import { TaskRecord } from '../../src/ledger/task/record.ts'
import { SqliteStore } from '../../src/ledger/store/sqlite.ts'
import { DEFAULT_TASK_OPTIONS } from '../../src/config/task-options.ts'
import { sqliteSettings, StoreTime } from '../support/store-bench.ts'

const RACER = fileURLToPath(new URL('../fixtures/store-racer.ts', import.meta.url))
const RACERS = Number(process.env['CLAIM_RACERS'] ?? 10)
/** More in a deep run. */
const ROUNDS = Number(process.env['CLAIM_ROUNDS'] ?? 3)

let folder = ''
let path = ''
const children: ChildProcess[] = []
const stores: SqliteStore[] = []
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'claim-'))
  path = join(folder, 'pool.db')
})
afterEach(async () => {
  for (const store of stores.splice(0)) store.close()
  for (const child of children.splice(0)) await kill(child)
  rmSync(folder, { recursive: true, force: true })
})

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGKILL')
  await once(child, 'exit')
}

interface Racer {
  readonly child: ChildProcess
  say(order: string): Promise<string>
}

async function racer(at = path): Promise<Racer> {
  const child = spawn(process.execPath, [RACER, at], { stdio: ['pipe', 'pipe', 'inherit'] })
  children.push(child)
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  await lines.next()
  const say = async (order: string) => {
    child.stdin.write(`${order}\n`)
    return (await lines.next()).value as string
  }
  return { child, say }
}

function open(at = path): SqliteStore {
  const store = new SqliteStore(sqliteSettings(at), new StoreTime())
  stores.push(store)
  return store
}

function codeOf(action: () => unknown): string {
  try {
    action()
  } catch (error) {
    return isTroupeError(error) ? error.code : String(error)
  }
  return 'nothing'
}

const recordOf = (id: string) => new TaskRecord(id, 'noop', null, DEFAULT_TASK_OPTIONS, 0)
const idsIn = (store: SqliteStore) => [...store.unended()].map(({ id }) => id)

/** Writes the claim anew, as another system would have written it. */
function rewriteClaim(change: (facts: Record<string, unknown>) => void): void {
  const facts = JSON.parse(readFileSync(`${path}-claim`, 'utf8')) as Record<string, unknown>
  change(facts)
  writeFileSync(`${path}-claim`, `${JSON.stringify(facts)}\n`)
}

describe('a store that is in use', () => {
  test('stays its owner’s when the host copies the folder, and reads every file in it', async () => {
    open().accept([recordOf('one')])
    const other = await racer()
    expect(await other.say('open')).toBe('STORE_LOCKED')
    cpSync(folder, `${folder}-copy`, { recursive: true })
    // The copy is nobody's.
    expect(idsIn(open(join(`${folder}-copy`, 'pool.db')))).toEqual(['one'])
    stores.pop()?.close()
    rmSync(`${folder}-copy`, { recursive: true })
    for (const name of ['', '-lock', '-wal', '-claim']) readFileSync(path + name)
    expect(await other.say('open')).toBe('STORE_LOCKED')
    // The lock that was deleted is a new one for whoever comes next.
    unlinkSync(`${path}-lock`)
    expect(await other.say('open')).toBe('STORE_LOCKED')
    expect(codeOf(open)).toBe('STORE_LOCKED')
  })

  test('is one store by whatever path it is reached', async () => {
    open()
    cpSync(folder, `${folder}-copy`, { recursive: true })
    rmSync(`${folder}-copy`, { recursive: true })
    const link = join(folder, 'link.db')
    const folderLink = join(folder, 'folder')
    symlinkSync(path, link)
    symlinkSync(folder, folderLink)
    for (const at of [link, join(folderLink, 'pool.db'), relative(process.cwd(), path)]) {
      expect(await (await racer(at)).say('open'), at).toBe('STORE_LOCKED')
    }
    const second = join(folder, 'second.db')
    linkSync(path, second)
    expect(await (await racer(second)).say('open')).toBe('STORE_UNREADABLE')
  })

  test('is told of once its claim is another’s, and then writes nothing', () => {
    const store = open()
    store.accept([recordOf('one')])
    expect(store.check()).toBeNull()
    rewriteClaim((facts) => {
      facts['token'] = 'another'
    })
    expect(store.check()?.code).toBe('STORE_LOST')
    expect(codeOf(() => store.accept([recordOf('two')]))).toBe('STORE_LOST')
    store.change(Object.assign(recordOf('one'), { seq: 1, attempt: 1 }), 'started')
    expect(codeOf(() => store.commit())).toBe('STORE_LOST')
  })

  test('claims itself again when its claim was tidied away', async () => {
    const store = open()
    rmSync(`${path}-claim`)
    readFileSync(`${path}-lock`)
    expect(store.check()).toBeNull()
    expect(await (await racer()).say('open')).toBe('STORE_LOCKED')
  })

  test.each([
    ['deleted', () => unlinkSync(path)],
    ['deleted with all that is beside it', () => rmSync(folder, { recursive: true })],
    ['moved away', () => renameSync(path, `${path}-old`)],
    [
      'replaced by a copy',
      () => {
        cpSync(path, `${path}-old`)
        renameSync(`${path}-old`, path)
      },
    ],
    ['deprived of its log', () => unlinkSync(`${path}-wal`)],
  ])('says so when it is %s, and can still be written down', async (_, lose) => {
    const store = open()
    store.accept([recordOf('one'), recordOf('two')])
    expect(store.check()).toBeNull()
    lose()
    expect(store.check()?.code).toBe('STORE_LOST')
    expect(store.isGone).toBe(true)
    expect(codeOf(() => store.accept([recordOf('three')]))).toBe('STORE_LOST')
    const [record] = [Object.assign(recordOf('one'), { seq: 1, attempt: 1, state: 'succeeded' })]
    store.change(record as TaskRecord, 'ended')
    store.commit()
    const rescued = join(mkdtempSync(join(tmpdir(), 'claim-rescued-')), 'pool.db')
    try {
      await store.backup(rescued)
      const again = open(rescued)
      expect(idsIn(again)).toEqual(['two'])
      expect(again.find('one')?.state).toBe('succeeded')
    } finally {
      stores.pop()?.close()
      rmSync(join(rescued, '..'), { recursive: true })
    }
  })

  test('is copied live into a new file, and never over another', async () => {
    const store = open()
    const many = Array.from({ length: 2_000 }, (_, at) => recordOf(`t${at}`))
    store.accept(many)
    const copy = join(folder, 'backup.db')
    const copying = store.backup(copy)
    store.accept([recordOf('meanwhile')])
    await copying
    const backup = open(copy)
    expect(idsIn(backup).slice(0, 2_000)).toEqual(many.map(({ id }) => id))
    await expect(store.backup(copy)).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
    await expect(store.backup(path)).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
    await expect(store.backup(join(folder, 'no', 'b'))).rejects.toMatchObject({
      code: 'STORE_FAILED',
    })
  })
})

describe('the claim of an owner', () => {
  test('that was killed is taken over at once', async () => {
    const owner = await racer()
    expect(await owner.say('open')).toBe('won')
    await kill(owner.child)
    expect(readFileSync(`${path}-claim`, 'utf8')).toContain(`"pid":${owner.child.pid}`)
    const begunMs = performance.now()
    open()
    expect(performance.now() - begunMs).toBeLessThan(1_000)
  })

  test('whose number is another process’s by now counts for nothing', async () => {
    const owner = await racer()
    await owner.say('open')
    await kill(owner.child)
    const other = await racer()
    rewriteClaim((facts) => {
      facts['pid'] = other.child.pid
    })
    open()
  })

  test('that was cut short while it was written counts for nothing; a stranger’s file stays', () => {
    writeFileSync(`${path}-claim`, '{"troupe":"store cl')
    open().close()
    stores.pop()
    writeFileSync(`${path}-claim`, 'these are my notes')
    expect(codeOf(open)).toBe('STORE_UNREADABLE')
    expect(readFileSync(`${path}-claim`, 'utf8')).toBe('these are my notes')
  })

  test('in another container is asked for a sign of life', async () => {
    const owner = await racer()
    expect(await owner.say('open')).toBe('won')
    await owner.say('read')
    rewriteClaim((facts) => {
      facts['realm'] = 'elsewhere'
      facts['pid'] = 1
    })
    const taker = await racer()
    const answering = taker.say('open')
    // Once a second, as the pool has its store do it.
    const answers = setInterval(() => void owner.say('look'), 100)
    expect(await answering).toBe('STORE_LOCKED')
    clearInterval(answers)
    expect(await owner.say('look')).toBe('well')
    owner.child.kill('SIGSTOP')
    expect(await taker.say('open')).toBe('won')
    owner.child.kill('SIGCONT')
    expect(await owner.say('look')).toBe('STORE_LOST')
  })
})

test(`of ${RACERS} processes that start at once exactly one has the store, each time`, async () => {
  const racers = await Promise.all(Array.from({ length: RACERS }, () => racer()))
  for (let round = 0; round < ROUNDS; round++) {
    const all = await Promise.all(racers.map(({ say }) => say('open')))
    const won = all.filter((message) => message === 'won').length
    const kept = all.filter((message) => message === 'STORE_LOCKED').length
    expect({ round, won, kept }).toEqual({ round, won: 1, kept: RACERS - 1 })
    const winner = racers[all.indexOf('won')] as Racer
    if (round % 3 === 1) {
      // The claim of the dead lies there for the next round.
      await kill(winner.child)
      racers[all.indexOf('won')] = await racer()
    } else await winner.say('close')
  }
}, 60_000)
