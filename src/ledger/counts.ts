/** How many tasks are in which state, kept as they move, so that reading it costs nothing. */
const PENDING: ReadonlySet<string> = new Set([
  'submitted',
  'blocked',
  'delayed',
  'queued',
  'backingOff',
])

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
    if (PENDING.has(state)) this.pending += by
    else if (state === 'succeeded') this.succeeded += by
    else if (state === 'failed') this.failed += by
    else if (state === 'cancelled') this.cancelled += by
    else this.active += by
  }
}
