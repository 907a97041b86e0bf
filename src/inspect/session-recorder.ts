/**
 * Records the session of a worker into a trace of its own, beside that of its pool. Loaded only in a
 * worker whose pool is recorded.
 */
import { Recorder } from './recorder.ts'

export function sessionRecorder(path: string, problem: (error: unknown) => void): Recorder {
  const startedMs = performance.now()
  return new Recorder(path, {
    nowMs: () => Math.floor(performance.now() - startedMs),
    wallMs: Date.now,
    defer: (callback) => void setImmediate(callback),
    problem,
  })
}
