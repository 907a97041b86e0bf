/** A task's context as it is, but for what its handler is meant to see as its payload. */
import type { PlainTaskContext } from '../../task/context.ts'

export function withPayload<Context extends PlainTaskContext>(
  context: Context,
  payload: unknown,
): Context {
  // Members of a context are read from itself alone: what they hold is private to it.
  return new Proxy(context, {
    get: (target, key) => (key === 'payload' ? payload : Reflect.get(target, key)),
  })
}
