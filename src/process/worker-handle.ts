/**
 * One worker as the pool holds it: what it is told, what is known of it, and what it tells. A forked
 * process is one, a simulated process another. It never says how the worker runs.
 */
import type { SerializedError, ExitStatus } from '../../machines/protocol.ts'
import type { WorkerInit, Order, Report } from './ipc/protocol.ts'

/** What a worker tells the pool. Nothing is told before `fork` has returned its handle. */
export interface WorkerProcessEvents {
  reports(reports: readonly Report[]): void
  /** Worth a line in the log, and no more. */
  trouble(message: string): void
  /** What it was told could not be sent: it is of no use any more. */
  unreachable(error: unknown): void
  /** What it sent could not be read, or is no frame: nothing it says is believed any more. */
  violated(error: unknown): void
  output(stream: 'stdout' | 'stderr', text: string): void
  /** Told once, when nothing of it is left. `error`: why it did not start, or its last words. */
  exited(exit: ExitStatus, error: SerializedError | null): void
}

export interface WorkerHandle {
  readonly init: WorkerInit
  /** Null when it has no process of its own. */
  readonly pid: number | null
  /** ms of the pool's clock. */
  readonly startedAtMs: number
  /**
   * ms of the pool's clock. Infinity before its first word: it cannot fall silent before, how long a
   * start may take has a limit of its own.
   */
  readonly lastFrameAtMs: number
  /** Set by the pool as it learns of it, and killed with the worker. */
  browserPid: number | null
  /** Where its browser keeps its profile: what still names it after the exit is killed. */
  profileFolder: string | null
  /** Whether it has started that process, itself or through others. Null: it cannot be seen now. */
  owns(pid: number): boolean | null
  /** Orders of one turn of the event loop travel in one frame. */
  send(...orders: Order[]): void
  /** For a turn's end that has come already: what is due now goes now. */
  sendNow(orders: readonly Order[]): void
  /** Asks it to end. */
  terminate(): void
  /** Ends it and all it has started. */
  kill(): void
}
