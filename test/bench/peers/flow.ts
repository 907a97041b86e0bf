/**
 * How every contestant of the noop row is driven: 64 tasks in flight until 200,000 have ended or 3 s have passed,
 * after a warm-up. The same loop for all, so that only the pools differ.
 */

export const WORKERS = 2
export const IN_FLIGHT = 64
const WARM_UP_TASKS = 20_000
const WARM_UP_MS = 1_000
const TASKS = 200_000
const LIMIT_MS = 3_000

/** What a contestant offers: one task, awaited to its end. */
export interface Contestant {
  readonly run: () => PromiseLike<unknown>
  readonly close: () => unknown
}

/** Measures a contestant and prints `{"tasksPerSecond": n}`. */
export async function measureFlow({ run, close }: Contestant): Promise<void> {
  await flow(run, WARM_UP_TASKS, WARM_UP_MS)
  const tasksPerSecond = await flow(run, TASKS, LIMIT_MS)
  await close()
  printFigures({ tasksPerSecond })
}

async function flow(
  run: () => PromiseLike<unknown>,
  tasks: number,
  limitMs: number,
): Promise<number> {
  const startMs = performance.now()
  const deadlineMs = startMs + limitMs
  let started = 0
  let ended = 0
  const lane = async (): Promise<void> => {
    while (started < tasks && performance.now() < deadlineMs) {
      started += 1
      await run()
      ended += 1
    }
  }
  await Promise.all(Array.from({ length: IN_FLIGHT }, lane))
  return (ended * 1_000) / (performance.now() - startMs)
}

/** Hands figures to whoever started this process, then ends it, whatever a peer has left running. */
export function printFigures(figures: Readonly<Record<string, number>>): void {
  process.stdout.write(`${JSON.stringify(figures)}\n`, () => process.exit(0))
}
