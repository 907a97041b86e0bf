/** How a pool orders its tasks: what its options say about it, and what they mean where nothing is said. */
import type { StrategyName } from '../../machines/order-policy.ts'
import type { SlotId } from '../../machines/protocol.ts'

/** What workers can do: all the same, or by slot. */
export type Capabilities = readonly string[] | Readonly<Partial<Record<SlotId, readonly string[]>>>

export interface OrderPolicy {
  /** ms of waiting that are worth a step of priority; 0: none are. */
  readonly ageingMs: number
  readonly strategy: StrategyName
  readonly groupConcurrency: GroupConcurrency
  readonly capabilities: Capabilities
}

export const DEFAULT_ORDER: OrderPolicy = {
  ageingMs: 10_000,
  strategy: 'roundRobin',
  groupConcurrency: 0,
  capabilities: [],
}

export function capabilitiesOf(capabilities: Capabilities, slot: SlotId): readonly string[] {
  if (Array.isArray(capabilities)) return capabilities as readonly string[]
  return (capabilities as Readonly<Partial<Record<SlotId, readonly string[]>>>)[slot] ?? []
}

/** Every capability that some worker has. */
export function allCapabilities(capabilities: Capabilities): string[] {
  return [...new Set(Object.values(capabilities).flat() as string[])].toSorted()
}

/** A limit for each group, or by name. */
export type GroupConcurrency = number | Readonly<Record<string, number>>
