/** The task of the noop row for jest-worker (by name) and tinypool (by default): it does nothing. */

export function noop(): null {
  return null
}

export default noop
