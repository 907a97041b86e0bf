/**
 * Whether a pool has something to do: a task that has not ended, or somebody who waits for it. The host
 * asks, to know whether to stay alive.
 */
export class PendingWork {
  /** Told when there is something to do, and when there is not any more. */
  onChange: (isBusy: boolean) => void = () => {}
  #isOccupied = false
  #waits = 0

  get isBusy(): boolean {
    return this.#isOccupied || this.#waits > 0
  }

  /** The ledger has got its first unended task, or lost its last. */
  occupy(isOccupied: boolean): void {
    this.#isOccupied = isOccupied
    this.onChange(this.isBusy)
  }

  /** Counts as something to do until `promise` settles. */
  async during<T>(promise: Promise<T>): Promise<T> {
    this.#waits++
    this.onChange(true)
    try {
      return await promise
    } finally {
      this.#waits--
      this.onChange(this.isBusy)
    }
  }
}
