/**
 * The process a pool lives in: its signals, its exit, and what keeps it alive. It never says what they
 * mean for the pool.
 */
import { constants } from 'node:os'

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
const INIT_PID = 1
const SHELL_SIGNAL_STATUS = 128
/** As long as a timer can be; it only stands for "the pool has something to do". */
const KEEP_ALIVE_MS = 2 ** 31 - 1

export interface HostListener {
  onSignal(signal: NodeJS.Signals): void
  /** The process ends: nothing can be awaited any more. */
  onExit(): void
  /** Nobody catches this: unless somebody does after all, `onExit` is next. */
  onUncaught(error: Error): void
  /** The process has nothing to do. */
  onBeforeExit(): void
}

/** What a pool that is up holds of its host. */
export interface HostLease {
  keepAlive(isNeeded: boolean): void
  /**
   * Nothing is heard any more, and nothing kept alive. `endedBy`: the signal that has ended the pool.
   */
  release(endedBy: NodeJS.Signals | null): void
}

export interface Host {
  /** Begins to listen, to signals only if they are asked for. */
  listen(listener: HostListener, withSignals: boolean): HostLease
}

/**
 * The exit status must be the signal's own. The first process of a container does not die of a
 * signal that it does not handle: it ends with the status that a shell gives for it.
 */
function dieOf(signal: NodeJS.Signals): void {
  process.kill(process.pid, signal)
  if (process.pid === INIT_PID) process.exit(SHELL_SIGNAL_STATUS + constants.signals[signal])
}

export const realHost: Host = {
  listen(listener, withSignals) {
    const signals = withSignals ? SIGNALS : []
    const timer = setInterval(() => {}, KEEP_ALIVE_MS)
    const onSignal = (signal: NodeJS.Signals) => listener.onSignal(signal)
    const onExit = () => listener.onExit()
    const onUncaught = (error: Error) => listener.onUncaught(error)
    const onBeforeExit = () => listener.onBeforeExit()
    process.on('exit', onExit)
    // Only the monitor: to catch what the host threw would change how the host ends.
    process.on('uncaughtExceptionMonitor', onUncaught)
    process.on('beforeExit', onBeforeExit)
    for (const signal of signals) process.on(signal, onSignal)
    return {
      keepAlive: (isNeeded) => void (isNeeded ? timer.ref() : timer.unref()),
      release: (endedBy) => {
        process.off('exit', onExit)
        process.off('uncaughtExceptionMonitor', onUncaught)
        process.off('beforeExit', onBeforeExit)
        for (const signal of signals) process.off(signal, onSignal)
        clearInterval(timer)
        if (endedBy !== null && process.listenerCount(endedBy) === 0) dieOf(endedBy)
      },
    }
  },
}
