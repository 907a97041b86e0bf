/** The actors that a pool spawns. It gives them neither actions nor events. */
import type { ActorRefFrom, AnyActorLogic, AnyActorRef, InputFrom } from 'xstate'
import { TroupeError } from '../common/errors.ts'

/**
 * XState's spawn, for logic that the machine's setup does not know: the actions are given here, not
 * in the machine.
 */
export type Spawn = <L extends AnyActorLogic>(
  logic: L,
  options: { id: string; input?: InputFrom<L> },
) => ActorRefFrom<L>

/** @throws INVARIANT_VIOLATED when one of them, without which there is no pool, has ended. */
export function requireActive(actors: readonly (AnyActorRef | null)[]): void {
  for (const actor of actors) {
    if ((actor?.getSnapshot() as { status: string } | undefined)?.status === 'active') continue
    throw new TroupeError('INVARIANT_VIOLATED', 'this pool cannot be started again: make another')
  }
}
