/**
 * Whether a pool keeps a journal, and in which file. Off, it costs nothing: there is no recorder.
 */
import { join } from 'node:path'
import type { PoolConfig } from '../../config/parse.ts'
import { Recorder } from '../../inspect/recorder.ts'
import type { Logger } from '../../common/logger.ts'
import type { World } from '../host/world.ts'

/** A trace named so is a file; any other name is a folder, in which each pool makes its own. */
const TRACE_EXTENSION = '.jsonl'

export function recorderOf(
  { trace, observability }: Pick<PoolConfig, 'trace' | 'observability'>,
  world: Pick<World, 'clock' | 'wallMs' | 'newId'>,
  logger: Logger,
): Recorder | null {
  if (trace === null && observability !== 'complete') return null
  return new Recorder(trace === null ? null : fileIn(trace, world.newId()), {
    nowMs: () => world.clock.nowMs(),
    wallMs: () => world.wallMs(),
    defer: (callback) => world.clock.defer(callback),
    problem: (error) => logger.error('the trace ends: it cannot be written', { error }),
  })
}

function fileIn(trace: string, id: string): string {
  if (trace.endsWith(TRACE_EXTENSION)) return trace
  return join(trace, `pool-${process.pid}-${id}${TRACE_EXTENSION}`)
}
