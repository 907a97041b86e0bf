/** Says where in a value something is, as `payload.orders[3].callback`, and refuses it by that name. */
import { TroupeError } from '../common/errors.ts'

const MAX_KEY_SHOWN = 60
const MAX_PATH_SHOWN = 12
const KIBIBYTE = 1024
const MEBIBYTE = 1024 * 1024
const IDENTIFIER = /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u

/** A step from a value to one inside it: a property, an index, or text such as `.get("a")`. */
export type Step = string | number | { readonly text: string }

/** A value that cannot be sent as it is. Sending it again would fail the same way. */
export class ValueRefused extends TroupeError {
  constructor(message: string, options: { readonly cause?: unknown } = {}) {
    super('PAYLOAD_INVALID', message, options)
  }
}

export function pathText({
  label,
  path,
}: {
  readonly label: string
  readonly path: readonly Step[]
}): string {
  const steps = path.map(stepText)
  if (steps.length <= MAX_PATH_SHOWN) return label + steps.join('')
  const half = MAX_PATH_SHOWN / 2
  return `${label}${steps.slice(0, half).join('')} … ${steps.slice(-half).join('')}`
}

/** A key of a Map in words; `index` stands for one that is an object. */
export function keyText(key: string | object | null, index: number): string {
  if (key === null) return 'null'
  return typeof key === 'string' ? JSON.stringify(clip(key)) : `key ${index}`
}

export function limitText(bytes: number): string {
  if (bytes >= MEBIBYTE) return `${Math.floor(bytes / MEBIBYTE)} MiB`
  return bytes >= KIBIBYTE ? `${Math.floor(bytes / KIBIBYTE)} KiB` : `${bytes} bytes`
}

function stepText(step: Step): string {
  if (typeof step === 'number') return `[${step}]`
  if (typeof step === 'object') return step.text
  return IDENTIFIER.test(step) ? `.${clip(step)}` : `[${JSON.stringify(clip(step))}]`
}

export function clip(text: string): string {
  return text.length > MAX_KEY_SHOWN ? `${text.slice(0, MAX_KEY_SHOWN)}…` : text
}
