/**
 * Weighs the browser's profile from time to time: one that has grown too large asks for its worker
 * to be replaced, which starts on a fresh profile. It deletes nothing.
 */
import type { DrivenBrowser } from './browser-driver.ts'

/** Of so many heartbeats, one weighs: a profile has hundreds of files. */
export const BEATS_BETWEEN = 12

interface ScalePorts {
  browser(): DrivenBrowser | null
  /** Called once. */
  onTooLarge(bytes: number): void
}

export class ProfileScale {
  readonly #maxBytes: number
  readonly #ports: ScalePorts
  #beats = 0
  #isOver = false

  /** `maxBytes`: 0 for no limit. */
  constructor(maxBytes: number, ports: ScalePorts) {
    this.#maxBytes = maxBytes
    this.#ports = ports
  }

  /** At each heartbeat. Never rejects. */
  async beat(): Promise<void> {
    this.#beats += 1
    if (this.#maxBytes === 0 || this.#isOver || this.#beats % BEATS_BETWEEN !== 0) return
    const weighing = this.#ports.browser()?.profileBytes?.()
    const bytes = (await weighing?.catch(() => 0)) ?? 0
    if (bytes <= this.#maxBytes || this.#isOver) return
    this.#isOver = true
    this.#ports.onTooLarge(bytes)
  }
}
