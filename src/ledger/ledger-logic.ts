/**
 * The ledger as actor logic: its state is kept by reference, so that a snapshot costs nothing
 * however many tasks wait.
 */
import type { ActorLogic, Snapshot } from 'xstate'
import type { SerializedError } from '../../machines/protocol.ts'
import { serializeError } from '../common/errors.ts'
import type { LedgerEvent } from './events.ts'
import { Ledger } from './ledger.ts'
import type { LedgerPolicy, LedgerPorts } from './ports.ts'

type LedgerSnapshot = Snapshot<undefined> & {
  readonly context: { readonly ledger: Ledger }
}
export type LedgerLogic = ActorLogic<LedgerSnapshot, LedgerEvent, undefined>

export function ledgerLogic(policy: LedgerPolicy, ports: LedgerPorts): LedgerLogic {
  return {
    transition: (snapshot, event) => {
      const { ledger } = snapshot.context
      try {
        if ((event as { type: string }).type === 'xstate.stop') ledger.halt()
        else ledger.receive(event)
      } catch (thrown) {
        // A defect. It must end the tasks it has, so it lives on; the pool gives up on it.
        ports.sendPool({ type: 'actor.failed', actor: 'ledger', error: brokenBy(event, thrown) })
      }
      return snapshot
    },
    getInitialSnapshot: ({ self }) => ({
      status: 'active',
      output: undefined,
      error: undefined,
      context: { ledger: new Ledger(policy, ports, (event) => self.send(event)) },
    }),
    getPersistedSnapshot: (snapshot) => snapshot,
  }
}

function brokenBy(event: LedgerEvent, thrown: unknown): SerializedError {
  const message = `the ledger broke at ${event.type}: a defect in Troupe, please report it`
  return {
    code: 'INVARIANT_VIOLATED',
    message,
    cause: serializeError(thrown, 'INVARIANT_VIOLATED'),
  }
}
