/**
 * A child in the pool's own process: where a worker without a process begins. It takes nothing of
 * the process for itself: no signal, no exit, no exception.
 */
import type { InProcessChild, Wire } from '../worker/in-process-worker.ts'
import type { ChildBirth } from '../worker/protocol.ts'
import { Child } from './child.ts'
import { driverOf, type Home, type HomeEars } from './home.ts'
import { loadTasks } from './task-file.ts'

/** Starts a child that lives on `wire`. */
export function startChild(birth: ChildBirth, wire: Wire): InProcessChild {
  const told: { ears: HomeEars | null } = { ears: null }
  const home: Home = {
    send: wire.send,
    listen: (ears) => {
      told.ears = ears
    },
    loadTasks,
    driverOf,
    rssBytes: () => process.memoryUsage.rss(),
    onOpened: () => undefined,
    exit: (code) => wire.exit({ code, signal: null }),
    stepped: (machine) => machine,
    die: (running) => {
      if (running > 0) wire.abandon(running)
    },
  }
  new Child(birth, home).start()
  return {
    receive: (frame) => told.ears?.onFrame(frame),
    die: () => told.ears?.onPoolGone(),
  }
}
