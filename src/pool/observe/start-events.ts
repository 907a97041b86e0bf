/** What is read from what a worker says as it starts, or from why it cannot. */
import { TroupeError } from '../../common/errors.ts'
import type { Report } from '../../process/ipc/protocol.ts'

/** What the ledger must know to send tasks where they can run. */
export function knownOf({ tasks, sessions }: Extract<Report, { kind: 'loaded' }>) {
  return {
    sessions: new Set(sessions.map(({ name }) => name)),
    plain: new Set(tasks.filter(({ browser }) => !browser).map(({ name }) => name)),
  }
}

/** Another start would meet the same machine and the same files. */
export function isPermanent(error: unknown): boolean {
  return error instanceof TroupeError && error.code === 'BROWSER_NOT_FOUND'
}
