/** How a process is named where many are held in one map. */
import type { ProcessId } from '../../machines/worker-words.ts'

export const keyOf = ({ slot, incarnation }: ProcessId): string => `${slot}#${incarnation}`
