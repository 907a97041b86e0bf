/**
 * Sees to it that the file of a store is still the one that was opened: nobody has deleted it, put
 * another in its place, taken its log away, or claimed it. What cannot be looked at is not judged.
 */
import { lstatSync, readlinkSync, realpathSync, statSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { TroupeError } from '../../common/errors.ts'
import type { StoreClaim } from './store-claim.ts'

const MAX_LINKS = 40

export interface StoreLoss {
  /** `gone`: what is written is nobody's any more. `taken`: it is another pool's by now. */
  readonly kind: 'gone' | 'taken'
  readonly error: TroupeError
}

export class StoreWitness {
  readonly #path: string
  readonly #claim: StoreClaim
  readonly #opened = new Map<string, string>()
  #loss: StoreLoss | null = null

  constructor(path: string, claim: StoreClaim) {
    this.#path = path
    this.#claim = claim
    this.#look()
  }

  /** The first loss there was; what is lost stays lost. */
  loss(): StoreLoss | null {
    this.#loss ??= this.#look()
    return this.#loss
  }

  #look(): StoreLoss | null {
    const path = this.#path
    for (const [file, what] of [
      [path, 'it'],
      [`${path}-wal`, 'its log'],
    ] as const) {
      const opened = this.#opened.get(file)
      const now = identityOf(file)
      if (now === 'unknown') continue
      if (opened === undefined && now !== 'absent') this.#opened.set(file, now)
      if (opened === undefined || opened === now) continue
      return lossOf('gone', path, `${what} was ${now === 'absent' ? 'deleted' : 'replaced'}`)
    }
    if (this.#isHeld()) return null
    return lossOf('taken', path, 'another pool has claimed it')
  }

  #isHeld(): boolean {
    try {
      return this.#claim.isHeld()
    } catch {
      return true
    }
  }
}

/** The path of the file itself, through links, whether it is there already or not. */
export function realPathOf(given: string): string {
  let path = resolve(given)
  for (let links = 0; links < MAX_LINKS; links++) {
    try {
      return realpathSync.native(path)
    } catch {
      const folder = realFolder(dirname(path))
      path = join(folder, basename(path))
      const facts = lstatSync(path, { throwIfNoEntry: false })
      if (!facts?.isSymbolicLink()) return path
      path = resolve(folder, readlinkSync(path))
    }
  }
  return path
}

function realFolder(folder: string): string {
  try {
    return realpathSync.native(folder)
  } catch {
    return folder
  }
}

function identityOf(path: string): string {
  try {
    const facts = statSync(path, { bigint: true, throwIfNoEntry: false })
    return facts === undefined ? 'absent' : `${facts.dev}:${facts.ino}`
  } catch {
    return 'unknown'
  }
}

const REMEDY = {
  gone:
    'Tasks that were accepted go on, new ones are refused. `pool.backup(path)` still writes down all ' +
    'that was in it; then shut the pool down, put that file in its place and start again.',
  taken: 'No task starts or ends here any more: shut this pool down.',
} as const

function lossOf(kind: StoreLoss['kind'], path: string, why: string): StoreLoss {
  const message = `the store ${path} is lost while it is in use: ${why}. ${REMEDY[kind]}`
  return { kind, error: new TroupeError('STORE_LOST', message) }
}
