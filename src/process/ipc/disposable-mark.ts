/**
 * What a disposable process is known by. It carries its worker's folder on its command line just
 * as a browser carries its profile: so everybody who ends a worker's browsers (the pool, the
 * guardian, the sweep of the next start) ends its disposable processes too, and no message about
 * them can be lost. It starts and ends nothing.
 */
import { join } from 'node:path'

interface Owner {
  readonly runFolder: string
  readonly slot: string
  readonly incarnation: number
}

/** A folder that is never made: it only names the worker. */
export function disposableFolder({ runFolder, slot, incarnation }: Owner): string {
  return join(runFolder, 'disposable', `${slot}.${incarnation}`)
}

/** The argument that a disposable process of this worker is started with. */
export function disposableMark(owner: Owner): string {
  return `--user-data-dir=${disposableFolder(owner)}`
}
