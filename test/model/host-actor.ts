/**
 * What is outside the machines, as plain data: the processes of a slot, and the keeper of the run
 * folder. A process does what it was told, in time or never; whether it does is the environment's
 * to say.
 */
import type { EventObject } from 'xstate'
import type { PlainLogic, Sender } from './plain-actor.ts'

export interface ModelProcess {
  incarnation: number
  /** `unheard`: its browser runs, and the word of it was lost. */
  phase: 'loading' | 'loaded' | 'opening' | 'launched' | 'unheard' | 'ready'
  /** Says and hears nothing any more: only a kill ends it. */
  isHung: boolean
  /** Asked to go, by an order or by SIGTERM. */
  isLeaving: boolean
  isKilled: boolean
  /** A word of its start was lost on the way: nobody will hear that it is ready. */
  isMute: boolean
}
export interface HostState {
  processes: ModelProcess[]
}

/** A slot has its process and the one it replaces, never a third. */
const MAX_PROCESSES = 2
const GONE = { code: null, signal: 'SIGKILL' }
const NEVER = { code: null, signal: null }
export const LOST = { code: 'WORKER_LOST', message: 'gone' }

type Stamped = EventObject & { incarnation: number; permanent?: boolean; lost?: boolean }

export const hostLogic: PlainLogic<HostState> = {
  initial: { processes: [] },
  clone: ({ processes }) => ({ processes: processes.map((process) => ({ ...process })) }),
  canonical: (state) => state,
  step(state, event, sender, slot) {
    const stamped = event as Stamped
    const process = state.processes.find((one) => one.incarnation === stamped.incarnation)
    if (event.type === 'process.fork') return fork(state, stamped, sender)
    if (event.type === 'process.killAll') {
      for (const one of state.processes) one.isKilled = true
      return
    }
    if (event.type === 'process.kill' && process === undefined) {
      // Its fork has thrown: nobody else would ever tell of its end.
      const { incarnation } = stamped
      const exit = {
        type: 'process.exited',
        incarnation,
        exit: NEVER,
        error: null,
        random: 0.5,
        atMs: 0,
      }
      return sender.say('worker', slot, exit as EventObject)
    }
    if (process === undefined) {
      // What was meant for a process that is gone is lost, as in a closed pipe: only tasks must not be.
      if (event.type === 'process.run') sender.report('tasks were sent to a process that is gone')
      return
    }
    obey(process, event, sender)
    report(state, process, stamped, sender, slot)
  },
}

function fork(state: HostState, { incarnation }: Stamped, sender: Sender): void {
  const fresh = { isHung: false, isLeaving: false, isKilled: false, isMute: false }
  if (state.processes.length >= MAX_PROCESSES) sender.report('a slot has more than two processes')
  if (state.processes.some((one) => one.incarnation >= incarnation)) {
    sender.report('an incarnation was used twice')
  }
  state.processes.push({ incarnation, phase: 'loading', ...fresh })
}

/** What the worker machine commands. */
function obey(process: ModelProcess, { type }: EventObject, sender: Sender): void {
  if (type === 'session.open') process.phase = 'opening'
  if (type === 'process.close' || type === 'process.terminate') process.isLeaving = true
  if (type === 'process.terminate') sender.mark('action: terminate')
  if (type === 'process.kill') {
    process.isKilled = true
    sender.mark('action: kill')
  }
  if (type === 'process.run' && process.phase !== 'ready') {
    sender.report('tasks were sent to a process without a session')
  }
}

/** What becomes of the process, and what the pool hears of it. */
function report(
  state: HostState,
  process: ModelProcess,
  event: Stamped,
  sender: Sender,
  slot: number,
): void {
  const { incarnation } = process
  const say = (type: string, facts: object = {}) =>
    sender.say('worker', slot, { type, incarnation, ...facts } as EventObject)
  switch (event.type) {
    case 'does.load':
      process.phase = 'loaded'
      if (event.lost !== true) return say('process.loaded')
      process.isMute = true
      return
    case 'does.launch':
      process.phase = event.lost === true ? 'unheard' : 'launched'
      if (event.lost !== true) say('session.launched')
      return
    case 'does.open':
      process.phase = 'ready'
      if (event.lost !== true) return say('session.ready')
      process.isMute = true
      return
    case 'does.fail':
      return say('session.failed', { error: LOST, permanent: event.permanent === true })
    case 'does.retire':
      return say('retire.requested')
    case 'does.hang':
      process.isHung = true
      return
    case 'does.exit':
      state.processes = state.processes.filter((one) => one !== process)
      sender.mark('action: exit')
      return say('process.exited', { exit: GONE, error: null, random: 0.5, atMs: 0 })
  }
}

export interface RunActorState {
  /** What is under way or waits for it, in order (`src/pool/host/run-lifecycle.ts`). */
  work: ('open' | 'givenUp' | 'close' | 'sweep' | 'abort')[]
  /** Readings are taken. */
  isWatching: boolean
}

const ENDINGS: Readonly<Record<string, 'close' | 'sweep' | 'abort'>> = {
  'run.close': 'close',
  'run.sweep': 'sweep',
  'run.abort': 'abort',
}

export const runLogic: PlainLogic<RunActorState> = {
  initial: { work: [], isWatching: false },
  clone: ({ work, isWatching }) => ({ work: [...work], isWatching }),
  canonical: (state) => state,
  step(state, { type }, sender) {
    if (type === 'run.open') state.work.push('open')
    const ending = ENDINGS[type]
    if (ending !== undefined) {
      // An opening that is closed before it is done is told to nobody.
      state.work = state.work.map((work) => (work === 'open' ? 'givenUp' : work))
      state.work.push(ending)
    }
    if (type === 'run.abort') state.isWatching = false
    if (type === 'watch.begin') state.isWatching = true
    if (type === 'watch.end') state.isWatching = false
    if (type === 'does.open' && state.work.shift() === 'open') {
      sender.say('pool', 0, { type: 'run.opened' })
    }
    if (type === 'does.fail') {
      state.work.shift()
      sender.say('pool', 0, { type: 'run.failed', error: LOST } as EventObject)
    }
    if (type === 'does.close') {
      const work = state.work.shift()
      if (work === 'sweep') sender.say('shutdown', 0, { type: 'run.swept' })
      if (work === 'abort') {
        sender.say('ledger', 0, { type: 'tasks.abandon' })
        sender.say('pool', 0, { type: 'run.aborted' })
      }
    }
  },
}
