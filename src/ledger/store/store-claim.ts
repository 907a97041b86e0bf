/**
 * Whose a store is: a file beside it that names the process that owns it. The kernel's lock on
 * `-lock` is lost when anybody in the owner's process opens and closes that file (a copy of the
 * folder does); a claim is not. That lock only keeps takers apart while they look at the claim. An
 * owner that cannot be looked up, in another container say, is asked, and has time to answer.
 */
import { randomBytes } from 'node:crypto'
import {
  closeSync,
  fstatSync,
  openSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeSync,
} from 'node:fs'
import { hostname } from 'node:os'
import { isAlive, startTimeOf } from '../../process/process-group.ts'
import { STORE_LOOK_MS } from './store.ts'

const ANSWER_POLL_MS = 50
const ANSWER_POLLS = (2 * STORE_LOOK_MS + 500) / ANSWER_POLL_MS
/** What the age of a claim is set to by who asks its owner for a sign of life, and by the owner. */
const ASKED = new Date(1_000)
const ANSWERED = new Date(2_000)
const MAX_TRIES = 5
const MAX_CLAIM_BYTES = 1_024

interface ClaimFacts {
  readonly troupe: 'store claim'
  readonly pid: number
  /** With the pid, it names the process for ever; null where the system does not tell. */
  readonly started: string | null
  /** Where the pid means something: the kernel since its boot, and the namespace of pids. */
  readonly realm: string
  /** Of the claim's own file: a copy of the folder is not claimed by the copy of the claim. */
  readonly inode: string
  readonly token: string
}

export interface StoreClaim {
  /** Answers who asks. False when the store is another process's by now. */
  isHeld(): boolean
  release(): void
}

/** The claims of this thread. */
const held = new Set<string>()

/**
 * Claims the store. To be called with the kernel's lock held, so that one taker looks at a time.
 *
 * @returns `locked`: a living process owns it. `strange`: the file there is no claim, and is left.
 */
export function takeClaim(path: string): StoreClaim | 'locked' | 'strange' {
  const token = randomBytes(12).toString('hex')
  for (let tries = 1; tries <= MAX_TRIES; tries++) {
    if (writeNew(path, token)) return claimOf(path, token)
    const there = read(path)
    if (there === 'absent') continue
    if (there === 'strange') return 'strange'
    if (owns(path, there)) return 'locked'
    replace(path, token)
    if (tokenAt(path) === token) return claimOf(path, token)
  }
  return 'locked'
}

function claimOf(path: string, token: string): StoreClaim {
  held.add(token)
  return {
    isHeld: () => {
      const there = read(path)
      if (there === 'absent') return writeNew(path, token) || tokenAt(path) === token
      if (there === 'strange' || there === 'unfinished' || there.token !== token) return false
      if (there.inode !== inodeAt(path)) replace(path, token)
      if (statSync(path, { throwIfNoEntry: false })?.mtimeMs === ASKED.getTime()) {
        utimesSync(path, ANSWERED, ANSWERED)
      }
      return true
    },
    release: () => {
      held.delete(token)
      if (tokenAt(path) === token) rmSync(path, { force: true })
    },
  }
}

/** True while a living process owns the store by this claim. */
function owns(path: string, there: ClaimFacts | 'unfinished'): boolean {
  // Its maker was killed while it wrote: nobody else writes while the kernel's lock is held.
  if (there === 'unfinished') return false
  if (there.inode !== inodeAt(path)) return false
  if (held.has(there.token)) return true
  if (there.realm !== realm()) return answers(path, there.token)
  // Of this process, and no other's: its thread is gone, or the kernel's lock were not free.
  if (there.pid === process.pid && there.started === startTimeOf(process.pid)) return false
  if (!isAlive(there.pid)) return false
  const started = startTimeOf(there.pid)
  if (there.started === null || started === null) return answers(path, there.token)
  return there.started === started
}

/** Asks the owner for a sign of life. */
function answers(path: string, token: string): boolean {
  utimesSync(path, ASKED, ASKED)
  const bell = new Int32Array(new SharedArrayBuffer(4))
  for (let polls = 0; polls < ANSWER_POLLS; polls++) {
    Atomics.wait(bell, 0, 0, ANSWER_POLL_MS)
    const facts = statSync(path, { throwIfNoEntry: false })
    if (facts === undefined) return false
    if (facts.mtimeMs !== ASKED.getTime()) return true
  }
  return tokenAt(path) !== token
}

/** False when there is a file already. */
function writeNew(path: string, token: string): boolean {
  try {
    write(path, token)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

function replace(path: string, token: string): void {
  const draft = `${path}.${token}`
  try {
    write(draft, token)
    renameSync(draft, path)
  } finally {
    rmSync(draft, { force: true })
  }
}

/** @throws EEXIST when there is a file. On a full disk it leaves no half of one. */
function write(path: string, token: string): void {
  const file = openSync(path, 'wx', 0o600)
  try {
    writeSync(file, textOf(token, String(fstatSync(file, { bigint: true }).ino)))
  } catch (error) {
    rmSync(path, { force: true })
    throw error
  } finally {
    closeSync(file)
  }
}

function inodeAt(path: string): string | null {
  const facts = statSync(path, { bigint: true, throwIfNoEntry: false })
  return facts === undefined ? null : String(facts.ino)
}

function textOf(token: string, inode: string): string {
  const facts: ClaimFacts = {
    troupe: 'store claim',
    pid: process.pid,
    started: startTimeOf(process.pid),
    realm: realm(),
    inode,
    token,
  }
  return `${JSON.stringify(facts)}\n`
}

function tokenAt(path: string): string | null {
  const there = read(path)
  return typeof there === 'string' ? null : there.token
}

function read(path: string): ClaimFacts | 'absent' | 'strange' | 'unfinished' {
  const size = statSync(path, { throwIfNoEntry: false })?.size
  if (size === undefined) return 'absent'
  if (size > MAX_CLAIM_BYTES) return 'strange'
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 'absent'
    throw error
  }
  if ('{"troupe":"store claim"'.startsWith(text.slice(0, 23)) && !text.endsWith('\n')) {
    return 'unfinished'
  }
  return parse(text) ?? 'strange'
}

function parse(text: string): ClaimFacts | null {
  try {
    const facts = JSON.parse(text) as Partial<ClaimFacts> | null
    const isClaim = facts?.troupe === 'store claim' && typeof facts.token === 'string'
    return isClaim && Number.isSafeInteger(facts.pid) ? (facts as ClaimFacts) : null
  } catch {
    return null
  }
}

let known: string | null = null
function realm(): string {
  known ??= [
    textAt(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()),
    textAt(() => readlinkSync('/proc/self/ns/pid')),
    process.platform === 'linux' ? '' : hostname(),
  ].join(' ')
  return known
}

function textAt(look: () => string): string {
  try {
    return look()
  } catch {
    return '-'
  }
}
