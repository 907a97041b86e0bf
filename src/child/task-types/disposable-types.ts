/**
 * `execute-code` and `shell-command`: what a payload brings is run in a process of its own, apart
 * from this worker as far as the machine allows, and that process is gone before the task ends.
 */
import { TroupeError } from '../../common/errors.ts'
import type {
  CodePayload,
  CodeResult,
  CommandPayload,
  CommandResult,
  Isolation,
} from '../../task-types/built-in.ts'
import type { PlainTaskContext } from '../../task/context.ts'
import type { DisposableMeans } from '../../process/ipc/child-types.ts'
import type { DisposableEnd } from '../../sandbox/disposable.ts'
import { commandLine, type DisposableProgram } from '../../sandbox/sandbox.ts'
import type { TypeGround } from './ground.ts'

/** What code may return, as JSON. */
export const MAX_CODE_RESULT_BYTES = 16 * 1024 * 1024
/** Of stderr, what explains a failure. */
const MAX_TAIL = 2_000
const HEAP_SHARE = 0.5
const MEBIBYTE = 1024 * 1024

interface Answer {
  readonly value?: unknown
  readonly error?: { readonly name: string; readonly message: string; readonly stack: string }
}

export async function executeCode(
  context: PlainTaskContext<CodePayload>,
  ground: TypeGround,
): Promise<CodeResult> {
  const { code, input } = context.payload
  const heap = Math.floor((ground.facts.limits.memory * HEAP_SHARE) / MEBIBYTE)
  const program = {
    program: 'node',
    args: [
      '--permission',
      '--no-experimental-sqlite',
      '--disable-warning=SecurityWarning',
      `--max-old-space-size=${heap}`,
      '--input-type=module',
      '-',
    ],
  }
  const end = await run(program, programText(code, input), MAX_CODE_RESULT_BYTES, context, ground)
  const answer = answerOf(end)
  if (answer.error !== undefined) throw revive(answer.error)
  return { value: answer.value, ...outputOf(end, ground) }
}

export async function shellCommand(
  context: PlainTaskContext<CommandPayload>,
  ground: TypeGround,
): Promise<CommandResult> {
  const { command, args = [], input = '', exitCodes = [0] } = context.payload
  const means = meansOf(ground)
  const path = Object.hasOwn(means.commands, command) ? means.commands[command] : undefined
  if (path === undefined) throw refusal(command, Object.keys(means.commands))
  if (means.sandbox.kind === 'none' && !ground.facts.unsafe) {
    throw new TroupeError('CONFIG_INVALID', 'shell-command needs a sandbox, or unsafe: true')
  }
  const end = await run({ program: path, args }, input, 0, context, ground)
  const { code } = end.exit
  if (code !== null && exitCodes.includes(code)) return { exitCode: code, ...outputOf(end, ground) }
  throw new TroupeError('TASK_FAILED', `${command} ended ${howOf(end)}.${tailOf(end)}`)
}

async function run(
  program: DisposableProgram,
  input: string | Uint8Array,
  answerBytes: number,
  context: PlainTaskContext<{ readonly timeout?: number | undefined }>,
  { facts, disposables, mark }: TypeGround,
): Promise<DisposableEnd> {
  const { limits, disposable } = facts
  if (disposable === null || disposables === null) {
    throw new TroupeError('TASK_UNKNOWN', 'this type is off')
  }
  const timeoutMs = Math.min(context.payload.timeout ?? limits.timeout, limits.timeout)
  const end = await disposables.run({
    ...commandLine(program, disposable, limits, mark),
    input,
    timeoutMs,
    outputBytes: limits.output,
    answerBytes,
    signal: context.signal,
  })
  if (end.killedFor === 'signal') throw context.signal.reason
  if (end.killedFor === 'timeout') {
    throw new TroupeError('TASK_TIMED_OUT', `it ran longer than its limit of ${timeoutMs} ms`)
  }
  if (end.killedFor === 'answer' && answerBytes > 0) {
    const message = `The result is larger than ${answerBytes} bytes.`
    throw new TroupeError('TASK_FAILED', message, { retryable: false })
  }
  return end
}

function meansOf({ facts }: TypeGround): DisposableMeans {
  if (facts.disposable === null) throw new TroupeError('TASK_UNKNOWN', 'this type is off')
  return facts.disposable
}

/**
 * What the disposable Node reads from its standard input. The functions that signal other processes
 * are taken away: within a sandbox there is nobody to signal, without one it keeps honest code from
 * accidents.
 */
function programText(code: string, input: unknown): string {
  const brought = JSON.stringify(JSON.stringify({ code, input }))
  return `
import { writeSync } from 'node:fs'
const { code, input } = JSON.parse(${brought})
for (const name of Object.keys(process.env)) delete process.env[name]
for (const name of ['kill', '_kill', '_debugProcess']) delete process[name]
const { stringify } = JSON
const { exit } = process
const answer = (said) => {
  const bytes = Buffer.from(stringify(said) ?? '{}')
  for (let sent = 0; sent < bytes.length; ) sent += writeSync(3, bytes, sent)
}
try {
  const Body = (async () => {}).constructor
  answer({ value: await new Body('input', code)(input) })
} catch (error) {
  const { name = 'Error', message = error, stack = '' } = Object(error)
  answer({ error: { name: String(name), message: String(message), stack: String(stack) } })
}
exit(0)
`
}

function answerOf(end: DisposableEnd): Answer {
  try {
    const said: unknown = JSON.parse(end.answer.toString())
    if (typeof said === 'object' && said !== null) return said as Answer
  } catch {
    // It has answered nothing, or not to the end.
  }
  const message = `The code ended without a result, ${howOf(end)}.${tailOf(end)}`
  throw new TroupeError('TASK_FAILED', message)
}

function revive({ name, message, stack }: NonNullable<Answer['error']>): Error {
  const error = new Error(String(message))
  error.name = String(name)
  error.stack = String(stack)
  return error
}

function outputOf(end: DisposableEnd, ground: TypeGround) {
  const isolation: Isolation = meansOf(ground).sandbox.kind
  const { stdout, stderr, truncated } = end
  return { stdout: stdout.toString(), stderr: stderr.toString(), truncated, isolation }
}

function howOf({ exit: { code, signal } }: DisposableEnd): string {
  return signal === null ? `with exit code ${code}` : `by ${signal}`
}

function tailOf({ stderr }: DisposableEnd): string {
  const said = stderr.toString().trim().slice(-MAX_TAIL)
  return said === '' ? '' : ` It said: ${said}`
}

function refusal(command: string, allowed: readonly string[]): TroupeError {
  const known = allowed.length === 0 ? 'none is' : `these are: ${allowed.join(', ')}`
  const message = `payload.command: ${JSON.stringify(command)} is not allowed; ${known}`
  return new TroupeError('PAYLOAD_INVALID', message, { retryable: false })
}
