/**
 * What Ctrl-C and its kin mean to a run: the first signal drains, the second kills, the third ends
 * this process at once. At the end the signal is raised again, so that a shell sees what really
 * happened.
 */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
export type StopSignal = (typeof SIGNALS)[number]

/** How long the raised signal may take to end the process before it exits by itself. */
const RAISE_LIMIT_MS = 1_000
const SIGNAL_NUMBERS: Readonly<Record<StopSignal, number>> = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 }

interface InterruptListener {
  drain(signal: StopSignal): void
  kill(signal: StopSignal): void
}

export class Interrupts {
  #received: StopSignal[] = []
  #listener: InterruptListener | null = null
  readonly #onSignal = (signal: NodeJS.Signals) => this.#take(signal as StopSignal)

  /** The signal that came first, if any came. */
  get first(): StopSignal | null {
    return this.#received[0] ?? null
  }

  listen(listener: InterruptListener): void {
    this.#listener = listener
    for (const signal of SIGNALS) process.on(signal, this.#onSignal)
  }

  close(): void {
    for (const signal of SIGNALS) process.off(signal, this.#onSignal)
    this.#listener = null
  }

  #take(signal: StopSignal): void {
    this.#received.push(signal)
    if (this.#received.length === 1) this.#listener?.drain(signal)
    else if (this.#received.length === 2) this.#listener?.kill(signal)
    else {
      this.close()
      raise(signal)
    }
  }
}

/** Ends this process by the signal itself: 130 for SIGINT, 143 for SIGTERM in a shell. */
export function raise(signal: StopSignal): void {
  // Kept referenced: the signal arrives through the event loop, which must not end before it.
  setTimeout(() => process.exit(exitCodeOf(signal)), RAISE_LIMIT_MS)
  process.kill(process.pid, signal)
}

export function exitCodeOf(signal: StopSignal): number {
  return 128 + SIGNAL_NUMBERS[signal]
}
