/** How a process is named where many are held in one map. */
import type { SlotId } from '../../machines/protocol.ts'
import type { ProcessId } from '../../machines/worker-messages.ts'

export type ProcessKey = `${SlotId}#${number}`

export const keyOf = ({ slot, incarnation }: ProcessId): ProcessKey => `${slot}#${incarnation}`
