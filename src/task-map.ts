/**
 * Many payloads, bounded tasks under way: reads its input no faster than outcomes leave, and
 * cancels what is left when the reader stops.
 */
import type { TaskHandle, TaskOutcome } from './pool-types.ts'

export interface MapPlan {
  readonly concurrency: number
  readonly ordered: boolean
  submit(payload: unknown): TaskHandle
}

/** Ended tasks, handed out in the order that was asked for. */
class Ends {
  readonly #isOrdered: boolean
  readonly #waiting = new Map<number, TaskOutcome>()
  #next = 0
  #wake: () => void = () => {}

  constructor(isOrdered: boolean) {
    this.#isOrdered = isOrdered
  }

  put(index: number, outcome: TaskOutcome): void {
    this.#waiting.set(index, outcome)
    this.#wake()
  }

  async take(): Promise<TaskOutcome> {
    for (;;) {
      const index = this.#isOrdered ? this.#next : this.#waiting.keys().next().value
      const outcome = index === undefined ? undefined : this.#waiting.get(index)
      if (index !== undefined && outcome !== undefined) {
        this.#waiting.delete(index)
        this.#next++
        return outcome
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }
}

/** Outcomes of `payloads`, as they end or in the order of the input. */
export async function* mapTasks(
  payloads: Iterable<unknown> | AsyncIterable<unknown>,
  plan: MapPlan,
): AsyncGenerator<TaskOutcome, void, undefined> {
  const source = iteratorOf(payloads)
  const ends = new Ends(plan.ordered)
  const underWay = new Set<TaskHandle>()
  let submitted = 0
  let yielded = 0
  let isMore = true
  const submit = (payload: unknown) => {
    const index = submitted++
    const handle = plan.submit(payload)
    underWay.add(handle)
    void handle.outcome().then((outcome) => {
      underWay.delete(handle)
      ends.put(index, outcome)
    })
  }
  try {
    for (;;) {
      while (isMore && submitted - yielded < plan.concurrency) {
        const next = await source.next()
        if (next.done === true) isMore = false
        else submit(next.value)
      }
      if (submitted === yielded) return
      const outcome = await ends.take()
      yielded++
      yield outcome
    }
  } finally {
    for (const handle of underWay) handle.cancel()
    await source.return?.()
  }
}

function iteratorOf(
  payloads: Iterable<unknown> | AsyncIterable<unknown>,
): AsyncIterator<unknown> | Iterator<unknown> {
  return Symbol.asyncIterator in payloads
    ? payloads[Symbol.asyncIterator]()
    : payloads[Symbol.iterator]()
}
