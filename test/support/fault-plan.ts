/**
 * What a cell of the fault matrix and the worker processes in it agree on: which process commits which fault at which
 * moment, and a folder of empty files by which each says how far it is. Loaded by the test and by the workers; it
 * never commits a fault itself.
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

const POLL_EVERY_MS = 3

/** What a worker process can do to itself. */
export type Injection =
  | 'SIGKILL'
  | 'SIGSTOP'
  | 'SIGTERM'
  | 'exit 0'
  | 'exit 9'
  | 'exception'
  | 'spin'
  | 'disconnect'
  | 'ENOENT'
  | 'EAGAIN'
  | 'hang'

/** Where in its life it does so. */
export type Spot = 'forking' | 'launching' | 'signalled' | 'working' | 'leaving' | 'closing'

export interface FaultPlan {
  /** Holds the marks. */
  readonly folder: string
  /** Null: no process of this cell is at fault. */
  readonly inject: Injection | null
  readonly spot: Spot
  /** Which of the processes that reach the task file, from 1. */
  readonly process: number
  /** What a task of kind `work` does in the first process before it ends. */
  readonly work: 'end' | 'retireAndEnd' | 'retireAndWait'
  /** The second process stays in its start until `released`. */
  readonly holdSecond: boolean
}

/**
 * `held`: the second process is in its start. `released`: it may go on, and so may a task that waits. `struck`: the
 * fault is committed, or will be in this very turn. `survived`: and its process goes on.
 */
type Mark = 'held' | 'released' | 'struck' | 'survived'

/** `file`, told what to do. */
export function withPlan(file: string, plan: FaultPlan): string {
  const url = new URL(file, import.meta.url)
  url.search = new URLSearchParams({ plan: JSON.stringify(plan) }).toString()
  return url.href
}

export function planOf(url: string): FaultPlan {
  const text = new URL(url).searchParams.get('plan')
  if (text === null) throw new TypeError(`${url} was given no plan.`)
  return JSON.parse(text) as FaultPlan
}

export function setMark({ folder }: FaultPlan, mark: Mark): void {
  writeFileSync(join(folder, mark), '')
}

function hasMark({ folder }: FaultPlan, mark: Mark): boolean {
  return existsSync(join(folder, mark))
}

/** Resolves once the mark is set, by whichever process. */
export async function whenMarked(plan: FaultPlan, mark: Mark): Promise<void> {
  while (!hasMark(plan, mark)) await delay(POLL_EVERY_MS)
}

/** Which process of the cell this is, from 1: each takes the first number that nobody has. */
export function takeNumber({ folder }: FaultPlan): number {
  for (let number = 1; ; number++) {
    try {
      mkdirSync(join(folder, `process-${number}`))
      return number
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
  }
}
