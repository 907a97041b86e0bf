/**
 * A command's default implementation. Machines only name their effects; `src/` provides each action
 * once. A command that nobody provided must fail loudly, never do nothing.
 */
export function port<Params>(name: string): (_: unknown, params: Params) => void {
  return () => {
    throw new Error(`port not provided: ${name}`)
  }
}
