/** The newest lines of a trace, in memory: bounded by their characters, the oldest go first. */

export class LineRing {
  readonly #max: number
  readonly #lines: string[] = []
  #first = 0
  #size = 0

  constructor(maxCharacters: number) {
    this.#max = maxCharacters
  }

  push(line: string): void {
    this.#lines.push(line)
    this.#size += line.length
    while (this.#size > this.#max && this.#first < this.#lines.length) {
      this.#size -= (this.#lines[this.#first] as string).length
      this.#lines[this.#first++] = ''
    }
    // The list itself is cut only now and then: each cut copies what is left.
    if (this.#first > this.#lines.length / 2) {
      this.#lines.splice(0, this.#first)
      this.#first = 0
    }
  }

  /** The newest `count`, oldest of them first. */
  tail(count: number): readonly string[] {
    return this.#lines.slice(Math.max(this.#first, this.#lines.length - count))
  }
}
