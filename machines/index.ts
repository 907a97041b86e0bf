/** All machines, by name. What is drawn, explored, simulated and run is what stands here. */
import type { AnyStateMachine } from 'xstate'
import { poolMachine } from './pool.machine.ts'
import { sessionMachine } from './session.machine.ts'
import { shutdownMachine } from './shutdown.machine.ts'
import { supervisorMachine } from './supervisor.machine.ts'
import { taskMachine } from './task.machine.ts'
import { workerMachine } from './worker.machine.ts'

export {
  poolMachine,
  sessionMachine,
  shutdownMachine,
  supervisorMachine,
  taskMachine,
  workerMachine,
}

export type MachineId = 'pool' | 'supervisor' | 'worker' | 'session' | 'task' | 'shutdown'
export const machines: Readonly<Record<MachineId, AnyStateMachine>> = {
  pool: poolMachine,
  supervisor: supervisorMachine,
  worker: workerMachine,
  session: sessionMachine,
  task: taskMachine,
  shutdown: shutdownMachine,
}
