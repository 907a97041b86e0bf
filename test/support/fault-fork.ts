/**
 * Lets the operating system refuse a fork of a worker: the answer of libuv's own `spawn` is exchanged, and all that
 * Node makes of it is real. Root is exempt from the limits that would bring it about.
 */
import { ChildProcess } from 'node:child_process'
import { constants } from 'node:os'

export type ForkRefusal = 'ENOENT' | 'EAGAIN' | 'EMFILE' | 'E2BIG'

/** Node's binding. How it takes the command line is Node's own affair and changes. */
interface SpawnHandle {
  spawn(...wanted: readonly unknown[]): number
}

const WORKER = /\/child\/entry\.ts$/

/** Where all processes of this one are born. */
function spawner(): SpawnHandle {
  const handle: unknown = Reflect.get(new ChildProcess(), '_handle')
  return Object.getPrototypeOf(handle) as SpawnHandle
}

/** Until disposed of, the `number`th fork of a worker from now, from 1, is refused; no other process is. */
export function refuseFork(number: number, code: ForkRefusal): Disposable & { count(): number } {
  const prototype = spawner()
  const spawn = prototype.spawn
  let forks = 0
  prototype.spawn = function (this: SpawnHandle, ...wanted) {
    const isWorker = namesWorker(wanted)
    if (isWorker && ++forks === number) return -constants.errno[code]
    return spawn.apply(this, wanted)
  }
  return {
    count: () => forks,
    [Symbol.dispose]: () => {
      prototype.spawn = spawn
    },
  }
}

function namesWorker(wanted: unknown): boolean {
  if (typeof wanted === 'string') return WORKER.test(wanted)
  if (Array.isArray(wanted)) return wanted.some(namesWorker)
  return namesWorker(Object.values(Object(wanted)).filter((value) => Array.isArray(value)))
}
