/**
 * A child in the pool's own process: where a worker without a process begins. It takes nothing of
 * the process for itself: no signal, no exit, no exception.
 */
import type { InProcessChild, Wire } from '../process/in-process-worker.ts'
import type { WorkerInit } from '../process/ipc/protocol.ts'
import { Child } from './child.ts'
import { driverOf, type ChildHost, type ChildHostListener } from './child-host.ts'
import { loadTasks } from './task-file.ts'

/** Starts a child that lives on `wire`. */
export function startChild(init: WorkerInit, wire: Wire): InProcessChild {
  const heard: { listener: ChildHostListener | null } = { listener: null }
  const childHost: ChildHost = {
    send: wire.send,
    listen: (listener) => {
      heard.listener = listener
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
  new Child(init, childHost).start()
  return {
    receive: (frame) => heard.listener?.onFrame(frame),
    die: () => heard.listener?.onPoolGone(),
  }
}
