/**
 * A pool as its user could know it: where it may stand, what it may refuse, what it has promised. It
 * is the model that `poolCommands` run beside the real pool; what the pool does otherwise is an error
 * with every flaw in it. It asks only what any user can ask.
 */
import { isTroupeError } from '../errors.ts'
import type { PoolStatus } from '../pool/types.ts'
import { isDraining, type PoolSnapshot, stateName } from '../pool/states.ts'
import type { CommandedPool, DrivenPool, PoolStand, Top } from './driven-pool.ts'
import { TaskBooks } from './task-books.ts'
import { flawOfBalance } from './truth-rules.ts'

/** What may come of a promise. */
export interface Prospect {
  /** With which code it is refused at once; null, the default, when it is not. */
  readonly expected?: string | null
  /** Codes that it may be refused with later. */
  readonly late?: readonly string[]
  /** Where the pool may go by it. */
  readonly to?: readonly Top[]
  readonly onSettled?: (code: string | null) => void
}

/** A cancelled task has stopped after so many ms at most, unless told otherwise. */
const CANCEL_LIMIT_MS = 60_000
/** Where each state leads by itself, and where only if somebody asks. */
const ALONE: Readonly<Record<Top, readonly Top[]>> = {
  idle: [],
  starting: ['running', 'error'],
  running: ['error'],
  paused: ['error'],
  stopping: ['idle'],
  error: [],
}
/** Nothing starts there; what runs may end. */
const HELD: ReadonlySet<PoolStand> = new Set([
  'idle',
  'paused',
  'pausedDraining',
  'stopping',
  'error',
])
const DRAINING: ReadonlySet<PoolStand> = new Set(['draining', 'pausedDraining'])
const MAX_FLAWS = 10

export class PoolBooks {
  readonly tasks = new TaskBooks((flaw) => this.blame(flaw))
  /** How often what was done, and refused with which code: what was never seen was never tested. */
  readonly seen = new Map<string, number>()
  stand: PoolStand
  /** Commands run so far. */
  commands = 0
  readonly #real: CommandedPool
  readonly #flaws: string[] = []
  readonly #promised = new Set<string>()
  readonly #limits = new Map<string, number>()
  readonly #underWay = new Map<string, number>()
  readonly #cancelLimitMs: number
  /** Where a command under way may lead. */
  #asked: readonly Top[] = []
  #active: number
  #isSwept = false
  #promises = 0

  /** @throws TypeError for a pool with a store: its tasks outlive it */
  constructor(real: CommandedPool, { cancelLimit = CANCEL_LIMIT_MS } = {}) {
    const { pool } = real
    const { store, tasks } = pool.status()
    if (store !== null) throw new TypeError('poolBooks: a pool with a store is not known to them')
    this.#real = real
    this.#cancelLimitMs = cancelLimit
    this.stand = standOf(pool)
    this.#active = tasks.active
    for (const type of ['task.succeeded', 'task.failed', 'task.cancelled'] as const) {
      pool.on(type, (outcome) => {
        this.tasks.ended(outcome)
        this.#watchHold()
      })
    }
    pool.on('task.started', (event) => {
      this.tasks.started(event)
      this.#watchHold()
      this.#watchGroups()
    })
    pool.on('task.retried', (event) => this.tasks.retried(event))
    pool.on('pool.changed', ({ state }) => this.#moved(state))
  }

  /** Bound: whoever hears something late has it at hand. */
  readonly blame = (flaw: string): void => {
    if (this.#flaws.length < MAX_FLAWS) this.#flaws.push(flaw)
  }

  note(what: string): void {
    this.seen.set(what, (this.seen.get(what) ?? 0) + 1)
  }

  /** Before every command: what was promised may have gone on since the last one. */
  begin(): void {
    this.commands++
    this.tasks.catchUp()
    this.#look()
  }

  /** With which code the pool refuses tasks where it stands; null when it takes them. */
  get intakeRefusal(): string | null {
    const { stand } = this
    if (stand === 'idle' || stand === 'error') return 'POOL_CLOSED'
    return stand === 'stopping' || DRAINING.has(stand) ? 'DRAINING' : null
  }

  /** The same for so many tasks and the room they need. */
  roomRefusal(tasks: number): string | null {
    const { pending, maxQueue } = this.#real.pool.status().queue
    return pending + tasks > maxQueue ? 'QUEUE_FULL' : null
  }

  /** Does at once what may lead the pool to `to`, and may be refused. True when it was done. */
  attempt(
    what: string,
    expected: string | null,
    deed: () => void,
    { to = [] }: { readonly to?: readonly Top[] } = {},
  ): boolean {
    this.#asked = to
    try {
      deed()
      this.#judgeRefusal(what, null, expected)
      return true
    } catch (error) {
      this.#judgeRefusal(what, codeOf(error), expected)
      return false
    } finally {
      this.#asked = []
    }
  }

  /**
   * Does what gives a promise. A refusal that is due must come at once; what is promised must settle
   * before the end.
   */
  async promise(
    what: string,
    deed: () => Promise<unknown>,
    prospect: Prospect = {},
  ): Promise<void> {
    const { expected = null, late = [], to = [], onSettled } = prospect
    const name = `${what} (promise ${++this.#promises})`
    this.#promised.add(name)
    this.#asked = to
    const promise = deed()
    this.#asked = []
    const settle = (code: string | null) => {
      this.#promised.delete(name)
      const isLate = code !== null && expected === null && late.includes(code)
      if (isLate) this.note(`${what} ${code}, later`)
      else this.#judgeRefusal(what, code, expected)
      onSettled?.(code)
    }
    const settled = promise.then(
      () => settle(null),
      (error: unknown) => settle(codeOf(error)),
    )
    if (expected !== null) await settled
  }

  limit(group: string, limit: number): void {
    this.#limits.set(group, limit)
    this.#underWay.set(group, this.tasks.underWayIn(group))
  }

  /** After every command. @throws Error with everything that is wrong */
  judge(): void {
    const { pool, stage, judge } = this.#real
    this.tasks.catchUp()
    this.#look()
    const { tasks } = pool.status()
    this.#blameIf(flawOfBalance(tasks))
    this.#judgeCounts(tasks)
    this.#watchHold()
    this.#watchGroups()
    this.tasks.judge(stage.nowMs, this.#cancelLimitMs)
    this.#blameIf(stage.flaw())
    if (this.stand === 'idle' && this.#isSwept) this.#judgeEnd()
    if (judge !== undefined) this.#blameIf(judge(this))
    if (this.#flaws.length > 0) throw new Error(this.#flaws.join('\n'))
  }

  /** At the very end: no task is unsure any more. @throws Error */
  judgeTotal(): void {
    const { submitted } = this.#real.pool.status().tasks
    const { lives } = this.tasks
    if (submitted !== lives)
      throw new Error(`${submitted} tasks were taken, and ${lives} have ended`)
  }

  /** Promises that have not settled. */
  get open(): readonly string[] {
    return [...this.#promised]
  }

  /** Where the pool stands now, told or not. */
  #look(): void {
    const stand = standOf(this.#real.pool)
    const was = this.stand
    this.stand = stand
    if (topOf(stand) !== topOf(was)) {
      this.blame(`the pool is ${stand}, and was told to be ${was}`)
    }
    if (DRAINING.has(stand) && this.tasks.unended().length + this.tasks.unsure === 0) {
      this.blame('the pool drains and nothing is left')
    }
  }

  #moved(to: Top): void {
    const from = topOf(this.stand)
    if (![...ALONE[from], ...this.#asked].includes(to)) {
      this.blame(`the pool went from ${this.stand} to ${to} unasked`)
    }
    if (to === 'error' && this.#real.stage.strikes === 0) {
      this.blame('the pool failed, and nothing went wrong')
    }
    this.#isSwept = from === 'stopping'
    this.note(`pool ${to}`)
    this.stand = standOf(this.#real.pool)
    this.#active = this.#real.pool.status().tasks.active
  }

  #watchHold(): void {
    const { active } = this.#real.pool.status().tasks
    if (HELD.has(this.stand) && active > this.#active) {
      this.blame(`a task was started while the pool is ${this.stand}`)
    }
    this.#active = active
  }

  /** Above a limit that was lowered there may be tasks; there are never more than before. */
  #watchGroups(): void {
    for (const [group, limit] of this.#limits) {
      const underWay = this.tasks.underWayIn(group)
      if (limit > 0 && underWay > Math.max(limit, this.#underWay.get(group) ?? 0)) {
        this.blame(`${underWay} tasks of group ${group} run, and ${limit} may`)
      }
      this.#underWay.set(group, underWay)
    }
  }

  #judgeCounts(told: PoolStatus['tasks']): void {
    const { lives, unsure, sums } = this.tasks
    if (told.submitted < lives || told.submitted > lives + unsure) {
      this.blame(`the pool counts ${told.submitted} tasks, and took ${lives}`)
    }
    for (const [how, count] of Object.entries(sums) as ['succeeded' | 'failed', number][]) {
      if (told[how] !== count) this.blame(`${told[how]} tasks have ${how}, and ${count} were told`)
    }
  }

  #judgeEnd(): void {
    this.#blameIf(this.#real.stage.left())
    const unended = this.tasks.unended()
    if (unended.length > 0) this.blame(`the pool is idle, and has not ended ${unended.join(', ')}`)
  }

  #judgeRefusal(what: string, code: string | null, expected: string | null): void {
    this.note(code === null ? what : `${what} ${code}`)
    if (code === expected) return
    const came = code === null ? 'was taken' : `was refused with ${code}`
    this.blame(`${what} ${came}; expected ${expected ?? 'no refusal'}`)
  }

  #blameIf(flaw: string | null): void {
    if (flaw !== null) this.blame(flaw)
  }
}

function codeOf(error: unknown): string {
  return isTroupeError(error) ? error.code : String(error)
}

function standOf(pool: DrivenPool): PoolStand {
  const snapshot = pool.getSnapshot() as PoolSnapshot
  const top = stateName(snapshot.value)
  if (!isDraining(snapshot)) return top
  return top === 'paused' ? 'pausedDraining' : 'draining'
}

/** As the pool's news and status tell it. */
export function topOf(stand: PoolStand): Top {
  if (stand === 'pausedDraining') return 'paused'
  return stand === 'draining' ? 'running' : stand
}
