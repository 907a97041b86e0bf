/**
 * The ledger as actor logic: its state is kept by reference, so that a snapshot costs nothing
 * however many tasks wait.
 */
import type { ActorLogic, Snapshot } from 'xstate'
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
      if ((event as { type: string }).type === 'xstate.stop') snapshot.context.ledger.halt()
      else snapshot.context.ledger.receive(event)
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
