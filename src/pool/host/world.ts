/**
 * Everything a pool takes from the machine it runs on, in one object: time, chance, processes, the
 * run on the disk, readings, the host. A simulation gives another. It never decides anything.
 */
import { randomInt } from 'node:crypto'
import { availableParallelism } from 'node:os'
import { nanoid } from 'nanoid'
import type { AnyStateMachine } from 'xstate'
import type { PoolConfig } from '../../config/parse.ts'
import { type Clock, type Timers, createClock, machineClock } from '../../common/clock.ts'
import type { TaskStore } from '../../ledger/store/store.ts'
import { SqliteStore } from '../../ledger/store/sqlite.ts'
import type { Logger } from '../../common/logger.ts'
import { createMonitor, type Monitor, type MonitorOptions } from '../../monitor/monitor.ts'
import { type Host, realHost } from './host-process.ts'
import type { Around } from '../../common/port-failure.ts'
import { PoolRun } from './run.ts'
import type { ProcessKey } from '../../common/process-key.ts'
import type { WorkerHandle, WorkerProcessEvents } from '../../process/worker-handle.ts'
import { storeSettings } from '../../config/store-schema.ts'
import { TOKEN_BITS } from '../../process/ipc/frame.ts'
import type { WorkerInit } from '../../process/ipc/protocol.ts'
import { WorkerProcess } from '../../process/worker-process.ts'

/** What a pool asks of its run. `PoolRun` is the one on the machine's disk. */
export type Run = Pick<
  PoolRun,
  'artifacts' | 'compileCache' | 'prepareLaunch' | 'profileFolder' | 'close'
> & {
  readonly folder: Pick<PoolRun['folder'], 'path' | 'renew' | 'removeSync'>
  readonly guardian: Pick<PoolRun['guardian'], 'watch' | 'release' | 'stop'>
  readonly profiles: Pick<PoolRun['profiles'], 'release' | 'clean' | 'isThere'>
}

export interface World {
  readonly clock: Clock
  /** For the machines' own delays. */
  readonly machineClock: Timers
  /** For a caller that waits with a limit: keeps the host alive meanwhile. */
  readonly waitClock: Timers
  readonly host: Host
  /** Processors that may be used at once. */
  readonly processors: number
  /** At least 0, below 1. */
  random(): number
  /** Names an attempt to its process: an integer that cannot be guessed. */
  newToken(): number
  /** Unique among the tasks of a pool. */
  newId(): string
  /** ms of the calendar: only for what outlives the pool. */
  wallMs(): number
  fork(init: WorkerInit, events: WorkerProcessEvents): WorkerHandle
  openRun(config: PoolConfig, logger: Logger): Promise<Run>
  /** At once. @throws STORE_LOCKED, STORE_UNREADABLE, STORE_FAILED, STORE_FULL */
  openStore(config: PoolConfig): TaskStore | null
  createMonitor(options: MonitorOptions<ProcessKey>): Monitor
  /** How machines take their steps: as XState does it, or in a way that is proven equal. */
  stepped<M extends AnyStateMachine>(machine: M): M
  /** How the actions of the pool's actors are done. Default: at once. */
  readonly around?: Around
}

/** The machine this process runs on. Each pool has a world of its own: its clock begins with it. */
export function realWorld(): World {
  const clock = createClock()
  return {
    clock,
    machineClock,
    waitClock: { setTimeout, clearTimeout },
    host: realHost,
    processors: availableParallelism(),
    random: Math.random,
    newToken: () => randomInt(2 ** TOKEN_BITS - 1),
    newId: nanoid,
    wallMs: Date.now,
    fork: (init, events) => new WorkerProcess(init, events, clock),
    openRun: (config, logger) => PoolRun.open(config, logger),
    openStore: (config) =>
      config.store === null
        ? null
        : new SqliteStore(storeSettings(config.store, config), {
            nowMs: clock.nowMs,
            wallMs: Date.now,
          }),
    createMonitor,
    stepped: (machine) => machine,
  }
}
