/** A machine at work with a recorder beside it: a small true trace to check checkers with. */
import { createActor } from 'xstate'
import { poolMachine, shutdownMachine } from '../../machines/index.ts'
import { Recorder, type RecorderPorts } from '../../src/inspect/recorder.ts'

const policy = {
  drainTimeoutMs: 10,
  stopTimeoutMs: 10,
  terminateTimeoutMs: 10,
  killTimeoutMs: 10,
  sweepTimeoutMs: 10,
}
const silent = () => {}
const silenced = { 'ledger.send': silent, 'pool.send': silent, 'run.sweep': silent }

export const QUIET_PORTS: RecorderPorts = {
  nowMs: () => 0,
  wallMs: () => 0,
  defer: (callback) => setImmediate(callback),
  problem: (error) => {
    throw error
  },
}

/** The shutdown machine, recorded; each call of `run` takes it from its arming to its end. */
export function recordedShutdown(recorder: Recorder): { run(): void; stop(): void } {
  const machine = shutdownMachine.provide({ actions: silenced })
  const actor = createActor(machine, { id: 'shutdown', input: { policy } })
  recorder.attach(actor)
  recorder.name(actor, 'shutdown', 'shutdown')
  actor.start()
  const run = () => {
    actor.send({ type: 'shutdown.begin', force: false })
    actor.send({ type: 'shutdown.force' })
    actor.send({ type: 'workers.gone' })
    actor.send({ type: 'run.swept' })
  }
  return { run, stop: () => void actor.stop() }
}

/** The pool machine, recorded: it starts, and comes to rest because its run folder could not be made. */
export function recordedPool(recorder: Recorder): { go(): void; rest(): void; stop(): void } {
  const commands = ['actors.open', 'run.open', 'run.close', 'workers.send', 'ledger.send']
  const tellers = ['supervisor.send', 'shutdown.send', 'event.unexpected']
  const actions = Object.fromEntries([...commands, ...tellers].map((name) => [name, silent]))
  const machine = poolMachine.provide({ actions: actions as never })
  const actor = createActor(machine, { id: 'pool', input: { workers: 1, startTimeoutMs: 1_000 } })
  recorder.attach(actor)
  actor.start()
  return {
    go: () => actor.send({ type: 'pool.start' }),
    rest: () => {
      actor.send({ type: 'run.failed', error: { code: 'PROFILE_FAILED', message: 'no' } })
      actor.send({ type: 'pool.recover' })
    },
    stop: () => void actor.stop(),
  }
}

export function runShutdown(recorder: Recorder): void {
  const { run, stop } = recordedShutdown(recorder)
  run()
  stop()
}

/** The same with one step that the machine does not take: it ends in another state. */
export function falseTrace(): string[] {
  return trueTrace().map((line, index) =>
    index === 3 ? line.replace(/"to":"[a-z]+"/, '"to":"sweeping"') : line,
  )
}

/** The lines of such a run, with a header and an end. */
export function trueTrace(): string[] {
  const recorder = new Recorder(null, QUIET_PORTS)
  const lines: string[] = [JSON.stringify({ ...recorder.header, first: 1 })]
  recorder.follow((line) => lines.push(line))
  runShutdown(recorder)
  return [...lines, JSON.stringify({ seq: lines.length, ms: 0, end: 'stopped' })]
}
