/** How a bug is planted in the real pool, and taken out again. Each gives back how it is undone. */
import type { LedgerEvent } from '../../src/ledger/events.ts'
import { Ledger } from '../../src/ledger/ledger.ts'
import { EventReporter } from '../../src/pool/observe/event-reporter.ts'

/** Another method in the place of one. */
export function replace<T extends object, K extends keyof T & string>(
  into: T,
  name: K,
  make: (real: T[K]) => T[K],
): () => void {
  const real = into[name]
  into[name] = make(real)
  return () => {
    into[name] = real
  }
}

/** The ledger never hears events of this kind. */
export function deafTo(isIt: (event: LedgerEvent) => boolean): () => void {
  return replace(
    Ledger.prototype,
    'receive',
    (real) =>
      function (this: Ledger, event) {
        if (!isIt(event)) real.call(this, event)
      },
  )
}

/** The end of a task is told twice. */
export function reportsEndsTwice(): () => void {
  return replace(
    EventReporter.prototype,
    'reportTask',
    (real) =>
      function (this: EventReporter, events, record) {
        real.call(this, events, record)
        if (events === 'ended') real.call(this, events, record)
      },
  )
}
