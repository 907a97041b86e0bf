/**
 * What this process holds: its memory after full collections, so that garbage does not count. For
 * tests of what must not grow; it never says how long anything takes.
 */
import { setImmediate as turn } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/**
 * One collection frees what finalizers let go of only in the next; and code that has not run for some
 * of them is thrown away, megabytes in all, which would hide what has grown meanwhile.
 */
const COLLECTIONS = 10

let collect: (() => void) | null = null

/** Bytes of the heap and of what hangs on it outside, as buffers do. */
export async function heldBytes(): Promise<number> {
  if (collect === null) {
    setFlagsFromString('--expose-gc')
    collect = runInNewContext('gc') as () => void
  }
  for (let round = 0; round < COLLECTIONS; round++) {
    // Not before its job is over does a WeakRef let go.
    await turn()
    collect()
  }
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
