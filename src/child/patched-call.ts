/** Methods of puppeteer's objects that are called through: bound, and checked to be there at all. */

export type Call = (...args: unknown[]) => Promise<unknown>

export function callOf(target: object, name: string): Call {
  const call: unknown = Reflect.get(target, name)
  if (typeof call !== 'function') throw new TypeError(`puppeteer has no ${name}() any more`)
  return call.bind(target) as Call
}
