/**
 * The order in which tasks must start, as lists of groups: a better priority first, then who has
 * waited longer. Those that came at the same moment are one group, whose order is free.
 */
interface Ranked {
  readonly record: { readonly options: { readonly priority: number } }
}
interface Group {
  readonly moment: number
  readonly tasks: Set<Ranked>
}

export class ModelBuckets {
  #buckets = new Map<number, Group[]>()
  #moment = 0

  get size(): number {
    return [...this.#buckets.values()].flat().reduce((sum, { tasks }) => sum + tasks.size, 0)
  }

  /** What is added from now on came later than what was added before. */
  beginMoment(): void {
    this.#moment++
  }

  add(task: Ranked, where: 'front' | 'back'): void {
    const bucket = this.#bucketOf(task)
    const neighbour = where === 'front' ? bucket[0] : bucket.at(-1)
    if (neighbour?.moment === this.#moment) {
      neighbour.tasks.add(task)
      return
    }
    const group = { moment: this.#moment, tasks: new Set([task]) }
    if (where === 'front') bucket.unshift(group)
    else bucket.push(group)
  }

  remove(task: Ranked): void {
    for (const group of this.#bucketOf(task)) group.tasks.delete(task)
    this.#tidy(task)
  }

  /** Takes these out. False unless they are those whose turn it was. */
  takeFirst(chosen: ReadonlySet<Ranked>): boolean {
    let left = chosen.size
    let isRight = true
    for (const [, bucket] of [...this.#buckets].toSorted(([a], [b]) => a - b)) {
      for (const { tasks } of bucket) {
        const taken = [...tasks].filter((task) => chosen.has(task)).length
        isRight &&= taken === Math.min(left, tasks.size)
        left -= taken
      }
    }
    for (const task of chosen) this.remove(task)
    return isRight && left === 0
  }

  #bucketOf({ record }: Ranked): Group[] {
    const { priority } = record.options
    let bucket = this.#buckets.get(priority)
    if (bucket === undefined) {
      bucket = []
      this.#buckets.set(priority, bucket)
    }
    return bucket
  }

  #tidy(task: Ranked): void {
    const bucket = this.#bucketOf(task).filter(({ tasks }) => tasks.size > 0)
    this.#buckets.set(task.record.options.priority, bucket)
  }
}
