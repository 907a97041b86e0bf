/**
 * The faults a simulation knows, by name, and the plan that says which of them strike. It draws lots
 * and counts; what a fault does is done where it strikes.
 */
import type { SeededRandom } from './seeded-random.ts'

/** Every fault, and what it does. */
export const FAULTS = {
  crash: 'the worker dies by SIGKILL while it runs a task',
  exitDuringTask: 'the worker exits with code 0 while it runs a task',
  hang: 'the worker stops answering while it runs a task, as a stopped process does',
  hungTask: 'the handler never ends and ignores its signal',
  failedTask: 'the handler throws an error that may be retried',
  browserLost: 'the browser dies while a browser task runs',
  failedLaunch: 'the browser does not start',
  slowStart: 'the worker takes 20 times as long to start',
  failedStart: 'the worker exits while it starts',
  hungStart: 'the worker never says that it has started',
  lostFrame: 'a frame of reports from a worker is lost',
  lateFrame: 'a frame of reports comes up to two seconds late',
  doubleFrame: 'a frame of reports comes twice',
  garbledFrame: 'a frame of reports cannot be read',
  lostOrder: 'a frame of orders to a worker is lost',
  stubborn: 'the worker ignores SIGTERM and the order to close',
  slowDeath: 'the worker needs a second to die of SIGKILL',
  failedLogin: 'the login hook fails',
  leak: 'the worker takes ever more memory',
  memoryPressure: 'the machine has hardly any memory left, for ten seconds',
  lowDisk: 'the disk has next to no room, for ten seconds',
  readingFails:
    'memory, disk or the sizes of workers cannot be read, or no reading comes at all, for ten seconds',
  diskFull: 'the run folder or a profile cannot be written',
  folderGone: 'the run folder is removed, with all profiles, while the pool runs',
  portThrows: 'what is to be done with a worker throws: before it is done, or after',
  frameForged: 'a worker sends what no worker sends: another shape, order or sender',
} as const

export type FaultName = keyof typeof FAULTS
export const FAULT_NAMES = Object.keys(FAULTS) as readonly FaultName[]

/** When a fault strikes. All that is given must hold. */
export interface FaultRule {
  /** Share of the occasions on which it strikes, 0–1. Default 1. */
  readonly chance?: number
  /** Only this task, by its name. */
  readonly task?: string
  /** Only this start of a task, from 1. */
  readonly attempt?: number
  /** Of `portThrows`, only this one: `shutdown: run.sweep`. Default: all that are about a process. */
  readonly port?: string | readonly string[]
  /** Strikes no more after so many times. Default: no limit. */
  readonly times?: number
}
/** By name: a share of the occasions, or a rule. */
export type Faults = Readonly<Partial<Record<FaultName, number | FaultRule>>>

/** What a fault would strike. */
interface Occasion {
  readonly task?: string
  readonly attempt?: number
  readonly port?: string
}

/** What is done with a worker's process: where it throws, the pool heals. */
const OF_PROCESS: ReadonlySet<string> = new Set([
  'worker: process.fork',
  'worker: session.open',
  'worker: process.run',
  'worker: process.close',
  'worker: process.terminate',
  'worker: process.kill',
  'ledger: attempt.abort',
])

export class FaultPlan {
  /** How often each has struck. */
  readonly struck: Record<FaultName, number>
  readonly #rules: ReadonlyMap<FaultName, FaultRule>
  readonly #random: SeededRandom
  /** Those that strike at their next occasion, whatever the rules say, and how often. */
  readonly #due = new Map<FaultName, number>()
  #isOver = false

  /** @throws TypeError for a name or a rule that is none. */
  constructor(faults: Faults, random: SeededRandom) {
    this.#rules = rulesOf(faults)
    this.#random = random
    this.struck = Object.fromEntries(FAULT_NAMES.map((name) => [name, 0])) as never
  }

  injects(name: FaultName, occasion: Occasion = {}): boolean {
    if (this.#due.size > 0 && isMeant(undefined, occasion) && this.#isDue(name)) return true
    const rule = this.#rules.get(name)
    if (rule === undefined || this.#isOver || !isMeant(rule, occasion)) return false
    if (rule.times !== undefined && this.struck[name] >= rule.times) return false
    if (rule.task !== undefined && rule.task !== occasion.task) return false
    if (rule.attempt !== undefined && rule.attempt !== occasion.attempt) return false
    if (!this.#random.chance(rule.chance ?? 1)) return false
    this.struck[name]++
    return true
  }

  /** It strikes at its next occasion, also after `heal`. @throws TypeError for a name that is none */
  provoke(name: FaultName): void {
    requireFault(name)
    this.#due.set(name, (this.#due.get(name) ?? 0) + 1)
  }

  /** From now on everything works. */
  heal(): void {
    this.#isOver = true
    this.#due.clear()
  }

  #isDue(name: FaultName): boolean {
    const times = this.#due.get(name) ?? 0
    if (times === 0) return false
    if (times === 1) this.#due.delete(name)
    else this.#due.set(name, times - 1)
    this.struck[name]++
    return true
  }
}

function isMeant(rule: FaultRule | undefined, { port }: Occasion): boolean {
  if (port === undefined) return true
  if (rule?.port === undefined) return OF_PROCESS.has(port)
  return typeof rule.port === 'string' ? rule.port === port : rule.port.includes(port)
}

function requireFault(name: string): void {
  if (Object.hasOwn(FAULTS, name)) return
  throw new TypeError(`faults: there is no fault "${name}"; known: ${FAULT_NAMES.join(', ')}`)
}

function rulesOf(faults: Faults): ReadonlyMap<FaultName, FaultRule> {
  const rules = new Map<FaultName, FaultRule>()
  for (const [name, given] of Object.entries(faults)) {
    requireFault(name)
    if (given === undefined) continue
    const rule: FaultRule = typeof given === 'number' ? { chance: given } : given
    const { chance = 1 } = rule
    if (!(chance >= 0 && chance <= 1)) {
      throw new TypeError(`faults.${name}: a chance is a number from 0 to 1, not ${chance}`)
    }
    rules.set(name as FaultName, rule)
  }
  return rules
}
