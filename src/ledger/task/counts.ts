/** How many tasks are in which state, kept as they move, so that reading it costs nothing. */
export class Counts {
  submitted = 0
  pending = 0
  active = 0
  succeeded = 0
  failed = 0
  cancelled = 0
  retried = 0

  submit(state: string): void {
    this.submitted++
    this.#add(state, 1)
  }

  move(from: string, to: string): void {
    if (from === to) return
    this.#add(from, -1)
    this.#add(to, 1)
  }

  #add(state: string, by: 1 | -1): void {
    switch (state) {
      case 'submitted':
      case 'blocked':
      case 'delayed':
      case 'queued':
      case 'backingOff':
        this.pending += by
        return
      case 'succeeded':
        this.succeeded += by
        return
      case 'failed':
        this.failed += by
        return
      case 'cancelled':
        this.cancelled += by
        return
      default:
        this.active += by
    }
  }
}
