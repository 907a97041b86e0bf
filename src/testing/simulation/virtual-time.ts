/**
 * The timers and clocks of Node, for code that runs inside a simulation: there they are those of the
 * simulation's clock, and for everybody else they stay what they are. They are put in place with the
 * first simulation and taken away after the last one.
 */
import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks'
import { syncBuiltinESMExports } from 'node:module'
import timers from 'node:timers'
import timersPromises from 'node:timers/promises'
import type { Scope, VirtualTimer } from './virtual-clock.ts'

/** Whose code runs now; nobody's outside of a simulation. */
const current = new AsyncLocalStorage<Scope>()

const realNow = performance.now.bind(performance)
const real = {
  setTimeout: globalThis.setTimeout,
  setInterval: globalThis.setInterval,
  setImmediate: globalThis.setImmediate,
  clearTimeout: globalThis.clearTimeout,
  clearInterval: globalThis.clearInterval,
  clearImmediate: globalThis.clearImmediate,
  Date: globalThis.Date,
}
const realPromises = { ...timersPromises }
/** A date that a simulation begins with; what matters is that it is always the same. */
const EPOCH_MS = Date.UTC(2026, 0, 1)
let users = 0

type Callback = (...args: unknown[]) => void

/** What `setTimeout` gives inside a simulation: as much of Node's Timeout as code uses. */
class Ticket {
  readonly timer: VirtualTimer

  constructor(timer: VirtualTimer) {
    this.timer = timer
  }

  ref(): this {
    return this
  }

  unref(): this {
    return this
  }

  hasRef(): boolean {
    return true
  }

  close(): this {
    this.timer.scope.clearTimeout(this.timer)
    return this
  }

  [Symbol.dispose](): void {
    this.close()
  }
}

/**
 * What Node does at the end of every callback: every promise that can settle has settled afterwards.
 * It is not documented; where it is missing, a turn of the event loop does the same, more slowly. Only
 * for code that is itself no promise's.
 */
const settle = (process as { _tickCallback?: () => void })._tickCallback
/** The real event loop gets its turn after so many steps at most. */
const STEPS_PER_TURN = 256

/**
 * Takes steps of a simulation in turns of the real event loop, until one gives an answer. Before each
 * of them every promise that can settle has settled.
 *
 * @throws Whatever a step throws.
 */
export function stepInTurns<T>(
  step: () => T | undefined,
  stepsPerTurn = STEPS_PER_TURN,
): Promise<T> {
  const atMost = settle === undefined ? 1 : stepsPerTurn
  return new Promise((resolve, reject) => {
    const turn = () => {
      try {
        for (let steps = 0; steps < atMost; steps++) {
          settle?.()
          const answer = step()
          if (answer !== undefined) return resolve(answer)
        }
        real.setImmediate(turn)
      } catch (error) {
        reject(error)
      }
    }
    real.setImmediate(turn)
  })
}

/** ms of the real clock, for limits on what a simulation may cost. */
export function realNowMs(): number {
  return realNow()
}

/** Runs code of a scope: what it starts, now and later, belongs to the scope. */
export function runIn<T>(scope: Scope, code: () => T): T {
  // To enter a scope anew costs several times as much as to enter it again.
  scope.resource ??= current.run(scope, () => new AsyncResource('scope'))
  return scope.resource.runInAsyncScope(code)
}

/** The `enter` of a scope whose calls run as its own code. */
export function inside(scope: Scope): Scope['enter'] {
  return (callback) => runIn(scope, callback)
}

/** Puts virtual time in place. The function returned gives real time back. */
export function useVirtualTime(): () => void {
  if (users++ === 0) install()
  let isUsed = true
  return () => {
    if (!isUsed) return
    isUsed = false
    if (--users === 0) uninstall()
  }
}

function install(): void {
  const replaced = {
    setTimeout: (callback: Callback, ms = 0, ...args: unknown[]) => {
      const scope = current.getStore()
      if (scope === undefined) return real.setTimeout(callback, ms, ...args)
      return new Ticket(scope.setTimeout(() => callback(...args), ms))
    },
    setInterval: (callback: Callback, ms = 0, ...args: unknown[]) => {
      const scope = current.getStore()
      if (scope === undefined) return real.setInterval(callback, ms, ...args)
      return new Ticket(scope.setInterval(() => callback(...args), ms))
    },
    setImmediate: (callback: Callback, ...args: unknown[]) => {
      const scope = current.getStore()
      if (scope === undefined) return real.setImmediate(callback, ...args)
      return new Ticket(scope.setTimeout(() => callback(...args), 0))
    },
    clearTimeout: clear(real.clearTimeout),
    clearInterval: clear(real.clearInterval),
    clearImmediate: clear(real.clearImmediate),
  }
  Object.assign(globalThis, replaced, { Date: virtualDate() })
  Object.assign(timers, replaced)
  Object.assign(timersPromises, {
    setTimeout: (ms?: number, value?: unknown, options?: { signal?: AbortSignal }) =>
      sleep(ms, value, options) ?? realPromises.setTimeout(ms, value, options),
    setImmediate: (value?: unknown, options?: { signal?: AbortSignal }) =>
      sleep(0, value, options) ?? realPromises.setImmediate(value, options),
  })
  performance.now = () => current.getStore()?.nowMs() ?? realNow()
  syncBuiltinESMExports()
}

function uninstall(): void {
  const { Date: _, ...functions } = real
  Object.assign(globalThis, real)
  Object.assign(timers, functions)
  Object.assign(timersPromises, realPromises)
  Reflect.deleteProperty(performance, 'now')
  syncBuiltinESMExports()
}

function clear(realClear: (timer: never) => void): (timer: unknown) => void {
  return (timer) => {
    if (timer instanceof Ticket) timer.close()
    else realClear(timer as never)
  }
}

function sleep(
  ms: number | undefined,
  value: unknown,
  options?: { signal?: AbortSignal },
): Promise<unknown> | null {
  const scope = current.getStore()
  if (scope === undefined) return null
  const signal = options?.signal
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason)
    const timer = scope.setTimeout(() => resolve(value), ms ?? 1)
    signal?.addEventListener('abort', () => {
      scope.clearTimeout(timer)
      reject(signal.reason)
    })
  })
}

function virtualDate(): DateConstructor {
  const nowMs = () => {
    const scope = current.getStore()
    return scope === undefined ? real.Date.now() : EPOCH_MS + scope.nowMs()
  }
  return new Proxy(real.Date, {
    construct: (target, args, newTarget) =>
      Reflect.construct(target, args.length === 0 ? [nowMs()] : args, newTarget) as Date,
    get: (target, key, receiver) => (key === 'now' ? nowMs : Reflect.get(target, key, receiver)),
  })
}

/** ms of the calendar inside a simulation. */
export function virtualWallMs(scope: Scope): number {
  return EPOCH_MS + scope.nowMs()
}
