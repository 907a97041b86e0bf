/**
 * Many payloads, bounded tasks under way: reads its input no faster than outcomes leave, hands an
 * outcome out as soon as it is there, and cancels what is left when the reader stops.
 */
import type { TaskHandle, TaskOutcome } from '../api/task.ts'

interface MapPlan {
  readonly concurrency: number
  readonly ordered: boolean
  /** `isNew` is false for a task that somebody else has submitted: it is not the map's to cancel. */
  submit(payload: unknown): Promise<{ readonly handle: TaskHandle; readonly isNew: boolean }>
}

/** Outcomes of `payloads`, as they end or in the order of the input. */
export async function* mapTasks(
  payloads: Iterable<unknown> | AsyncIterable<unknown>,
  plan: MapPlan,
): AsyncGenerator<TaskOutcome, void, undefined> {
  const run = new MapRun(payloads, plan)
  try {
    for (let outcome = await run.next(); outcome !== null; outcome = await run.next()) {
      yield outcome
    }
  } finally {
    await run.close()
  }
}

class MapRun {
  readonly #source: AsyncIterator<unknown> | Iterator<unknown>
  readonly #plan: MapPlan
  /** Tasks of this map's own that have not ended. */
  readonly #underWay = new Set<TaskHandle>()
  /** Ended, not handed out yet, by their place in the input. */
  readonly #ended = new Map<number, TaskOutcome>()
  #read = 0
  #handedOut = 0
  #isReading = false
  #isOver = false
  #isClosed = false
  #failure: { readonly error: unknown } | null = null
  #wake: () => void = () => {}

  constructor(payloads: Iterable<unknown> | AsyncIterable<unknown>, plan: MapPlan) {
    this.#source = iteratorOf(payloads)
    this.#plan = plan
  }

  /** The next outcome; null when all have been handed out. @throws what the input or `submit` throws */
  async next(): Promise<TaskOutcome | null> {
    for (;;) {
      void this.#readOn()
      if (this.#failure !== null) throw this.#failure.error
      const outcome = this.#take()
      if (outcome !== null) return outcome
      if (this.#isOver && this.#read === this.#handedOut) return null
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true
    for (const handle of this.#underWay) handle.cancel()
    const returned = Promise.resolve(this.#source.return?.())
    // An input that is being waited for may never answer.
    if (this.#isReading) returned.catch(() => {})
    else await returned
  }

  #take(): TaskOutcome | null {
    const index = this.#plan.ordered ? this.#handedOut : this.#ended.keys().next().value
    const outcome = index === undefined ? undefined : this.#ended.get(index)
    if (index === undefined || outcome === undefined) return null
    this.#ended.delete(index)
    this.#handedOut++
    return outcome
  }

  get #hasRoom(): boolean {
    return !this.#isOver && !this.#isClosed && this.#read - this.#handedOut < this.#plan.concurrency
  }

  /** Reads while there is room. One reader at a time, beside those who take outcomes. */
  async #readOn(): Promise<void> {
    if (this.#isReading) return
    this.#isReading = true
    try {
      while (this.#hasRoom) {
        const { done, value } = await this.#source.next()
        if (done === true) this.#isOver = true
        else if (!this.#isClosed) await this.#submit(value)
      }
    } catch (error) {
      this.#failure = { error }
    }
    this.#isReading = false
    this.#wake()
  }

  async #submit(payload: unknown): Promise<void> {
    const index = this.#read++
    const { handle, isNew } = await this.#plan.submit(payload)
    if (isNew) this.#underWay.add(handle)
    if (isNew && this.#isClosed) handle.cancel()
    void handle.outcome().then((outcome) => {
      this.#underWay.delete(handle)
      this.#ended.set(index, outcome)
      this.#wake()
    })
  }
}

function iteratorOf(
  payloads: Iterable<unknown> | AsyncIterable<unknown>,
): AsyncIterator<unknown> | Iterator<unknown> {
  return Symbol.asyncIterator in payloads
    ? payloads[Symbol.asyncIterator]()
    : payloads[Symbol.iterator]()
}
