/**
 * Who of a pool serves and who stands by: pure decisions over slots. A spare that is called and the
 * slot that is down change places, so that a slot's number says nothing of its part.
 */
import type { PoolContext } from './pool-facts.ts'
import type { SlotId } from './vocabulary.ts'

export type Cast = Pick<PoolContext, 'serving' | 'spares'>
type Company = Pick<PoolContext, 'serving' | 'spares' | 'ready' | 'warm'>

const union = (slots: readonly SlotId[], others: readonly SlotId[]) => [
  ...new Set([...slots, ...others]),
]
const numberOf = (slot: SlotId) => Number(slot.slice('worker-'.length))
const inOrder = (slots: readonly SlotId[]) => slots.toSorted((a, b) => numberOf(a) - numberOf(b))
const slotsUpTo = (size: number): SlotId[] =>
  Array.from({ length: size }, (_, index): SlotId => `worker-${index + 1}`)

/** The cast of a pool that starts: the first slots serve. */
export function firstCast({ size, affordable }: PoolContext): Cast {
  const slots = slotsUpTo(size + affordable)
  return { serving: slots.slice(0, size), spares: slots.slice(size) }
}

/**
 * The cast for another size, with as few changes as can be: who serves goes on, the last slots go
 * first; of those who come, the warm are first and the spares that still start are second. A warm
 * spare that is called is as good as ready.
 */
export function recast(
  { serving, spares, ready, warm }: Company,
  size: number,
  standby: number,
): Company {
  const used = [...serving, ...spares]
  const all = slotsUpTo(used.length + size + standby)
  const beside = (slots: readonly SlotId[]) => all.filter((slot) => !slots.includes(slot))
  const cold = spares.filter((slot) => !warm.includes(slot))
  const candidates = [...inOrder(serving), ...inOrder(warm), ...inOrder(cold), ...beside(used)]
  const wanted = candidates.slice(0, size)
  const standing = [
    ...spares.filter((slot) => !wanted.includes(slot)),
    ...beside([...used, ...wanted]),
  ]
  const kept = standing.slice(0, standby)
  return {
    serving: wanted,
    spares: kept,
    ready: union(
      ready,
      warm.filter((slot) => wanted.includes(slot)),
    ),
    warm: warm.filter((slot) => kept.includes(slot)),
  }
}

/** A slot that is to serve and does not; null when there is none. */
export function vacancy({ serving, ready }: PoolContext): SlotId | null {
  return serving.find((slot) => !ready.includes(slot)) ?? null
}

/** The first warm spare and the slot that does not serve change places. */
export function substitution(context: PoolContext): Partial<Company> {
  const vacant = vacancy(context)
  const [called] = context.warm
  if (vacant === null || called === undefined) return {}
  const swap = (slots: readonly SlotId[], from: SlotId, to: SlotId) =>
    slots.map((slot) => (slot === from ? to : slot))
  return {
    serving: swap(context.serving, vacant, called),
    spares: swap(context.spares, called, vacant),
    ready: union(context.ready, [called]),
    warm: context.warm.slice(1),
  }
}
