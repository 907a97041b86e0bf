/**
 * Lets the operating system refuse a fork of a worker, as it does at its limits: Node's binding is asked for a program
 * that is not there, and its answer is given as the refusal that is wanted. All that Node makes of it is real; seen
 * beside a real EAGAIN (`prlimit --nproc`, another user), it is the same.
 */
import { ChildProcess } from 'node:child_process'
import { constants } from 'node:os'

export type ForkRefusal = 'ENOENT' | 'EAGAIN' | 'EMFILE' | 'E2BIG'

/** Node's binding. How it takes a command line is Node's own affair, and changes. */
interface SpawnHandle {
  spawn(...wanted: unknown[]): number
}

const NOWHERE = '/nowhere/no-such-program'
const WORKER = /\/child\/entry\.ts$/

/** Until disposed of, the `number`th fork of a worker from now, from 1, is refused; no other process is. */
export function refuseFork(number: number, code: ForkRefusal): Disposable {
  const prototype = spawner()
  const spawn = prototype.spawn
  let forks = 0
  prototype.spawn = function (this: SpawnHandle, ...wanted) {
    if (!namesWorker(wanted) || ++forks !== number) return spawn.apply(this, wanted)
    // Without a descriptor left there are not even pipes to make.
    if (code !== 'EMFILE') spawn.apply(this, wanted.map(misled))
    return -constants.errno[code]
  }
  return {
    [Symbol.dispose]: () => {
      prototype.spawn = spawn
    },
  }
}

/** Where all processes of this one are born. */
function spawner(): SpawnHandle {
  const handle: unknown = Reflect.get(new ChildProcess(), '_handle')
  return Object.getPrototypeOf(handle) as SpawnHandle
}

function namesWorker(wanted: unknown): boolean {
  if (typeof wanted === 'string') return WORKER.test(wanted)
  if (Array.isArray(wanted)) return wanted.some(namesWorker)
  return Object.values(Object(wanted)).some((part) => Array.isArray(part) && namesWorker(part))
}

function misled(part: unknown): unknown {
  if (part === process.execPath) return NOWHERE
  const hasFile = typeof part === 'object' && part !== null && 'file' in part
  return hasFile ? { ...part, file: NOWHERE } : part
}
