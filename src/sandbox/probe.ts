/**
 * What this machine offers to disposable processes, found out by trying: bubblewrap counts only if
 * a process in it sees no network, no file, no process and no environment of ours. Asked once a
 * pool, and only by a pool that allows such tasks.
 */
import { constants, existsSync } from 'node:fs'
import { access, realpath } from 'node:fs/promises'
import { basename, dirname, isAbsolute, join } from 'node:path'
import { TroupeError } from '../common/errors.ts'
import type { DisposableMeans, Sandbox } from '../process/ipc/child-types.ts'
import type { TaskTypesFacts } from '../config/task-types.ts'
import { Disposables } from './disposable.ts'
import { commandLine } from './sandbox.ts'

const SELF_TEST_LIMIT_MS = 10_000
/** It belongs to no run, and ends by itself, or with its parent. */
const SELF_TEST_MARK = 'troupe-self-test'
const MAX_ANSWER_BYTES = 16 * 1024
const USUAL_FOLDERS = ['/usr/local/bin', '/usr/bin', '/bin', '/usr/sbin', '/sbin']

/** Runs without the permission model: what is found closed here is closed by the sandbox itself. */
const PROBE = `
import { existsSync, readdirSync, writeSync, writeFileSync } from 'node:fs'
import { networkInterfaces, tmpdir } from 'node:os'
const open = []
const interfaces = Object.values(networkInterfaces()).flat().filter((one) => !one.internal)
if (interfaces.length > 0) open.push('the network')
if (existsSync('/etc') || existsSync('/usr') || existsSync('/home')) open.push('files')
if (readdirSync('/proc').filter((name) => /^\\d+$/.test(name)).length > 3) open.push('processes')
if (Object.keys(process.env).some((name) => name !== 'PWD')) open.push('the environment')
if (process.getuid() !== 65534) open.push('the user')
try { writeFileSync('/trace', ''); open.push('the root folder') } catch {}
writeSync(3, JSON.stringify({ open }))
`

/**
 * Finds what a pool with these options needs, or null when it allows nothing that needs it.
 *
 * @throws TroupeError CONFIG_INVALID when what it insists on cannot be had here.
 */
export async function findMeans(facts: TaskTypesFacts): Promise<DisposableMeans | null> {
  if (facts.allow.length === 0) return null
  if (process.platform === 'win32') {
    throw refusal(`${facts.allow.join(' and ')} need process groups, which Windows does not have`)
  }
  const prlimit = process.platform === 'linux' ? await find('prlimit') : null
  const sandbox: Sandbox =
    facts.sandbox === 'off'
      ? { kind: 'none', reason: 'taskTypes.sandbox is off' }
      : await testSandbox(facts, prlimit)
  if (sandbox.kind === 'none' && facts.sandbox === 'required') {
    throw refusal(`sandbox is required, and there is none: ${sandbox.reason}`)
  }
  const runsCommands = facts.allow.includes('shell-command')
  if (runsCommands && sandbox.kind === 'none' && !facts.unsafe) {
    const fix = 'install bubblewrap, or say unsafe: true if every command is harmless'
    throw refusal(`shell-command needs a sandbox, and there is none: ${sandbox.reason}; ${fix}`)
  }
  return { sandbox, prlimit, commands: runsCommands ? await findCommands(facts.commands) : {} }
}

/** Whether bubblewrap keeps what runs in it apart, here and now. Never rejects. */
export async function testSandbox(
  { limits }: Pick<TaskTypesFacts, 'limits'>,
  prlimit: string | null,
): Promise<Sandbox> {
  if (process.platform !== 'linux') return none('bubblewrap is for Linux')
  const program = await find('bwrap')
  if (program === null) return none('bubblewrap (bwrap) is not installed')
  const sandbox: Sandbox = { kind: 'bubblewrap', program, libraries: loadedLibraries() }
  const means = { sandbox, prlimit }
  const code = { program: 'node', args: ['--input-type=module', '-'] }
  const command = { program: '/usr/bin/env', args: [] }
  try {
    const said = await trial(commandLine(code, means, limits, SELF_TEST_MARK), PROBE)
    const { open } = JSON.parse(said.answer.toString() || '{}') as { open?: string[] }
    if (open === undefined) return none(`bubblewrap failed: ${lastLine(said.stderr)}`)
    if (open.length > 0) return none(`bubblewrap leaves open: ${open.join(', ')}`)
    const ran = await trial(commandLine(command, means, limits, SELF_TEST_MARK), '')
    if (ran.exit.code === 0) return sandbox
    return none(`bubblewrap cannot run the system's programs: ${lastLine(ran.stderr)}`)
  } catch (error) {
    return none(`bubblewrap failed: ${(error as Error).message}`)
  }
}

function trial(line: { program: string; args: readonly string[] }, input: string) {
  return new Disposables().run({
    ...line,
    input,
    timeoutMs: SELF_TEST_LIMIT_MS,
    outputBytes: MAX_ANSWER_BYTES,
    answerBytes: MAX_ANSWER_BYTES,
  })
}

function none(reason: string): Sandbox {
  return { kind: 'none', reason }
}

/** The shared objects of this process, by the paths that its twin will look for. */
function loadedLibraries(): string[] {
  const report = process.report as typeof process.report & { excludeNetwork: boolean }
  const before = report.excludeNetwork
  report.excludeNetwork = true
  const { sharedObjects } = report.getReport() as { sharedObjects?: string[] }
  report.excludeNetwork = before
  return (sharedObjects ?? []).filter((path) => isAbsolute(path) && existsSync(path))
}

async function findCommands(names: readonly string[]): Promise<Record<string, string>> {
  const found: Record<string, string> = {}
  for (const name of names) {
    const path = await find(name)
    if (path === null) throw refusal(`commands: there is no program ${JSON.stringify(name)}`)
    found[name] = path
  }
  return found
}

async function find(name: string): Promise<string | null> {
  const folders = name.includes('/')
    ? [dirname(name)]
    : [...(process.env['PATH'] ?? '').split(':'), ...USUAL_FOLDERS]
  for (const folder of folders.filter(isAbsolute)) {
    const path = join(folder, basename(name))
    // Its folder by its true name, for the sandbox has no links to it; its own name is its own.
    if (await isProgram(path)) return join(await realpath(folder), basename(name))
  }
  return null
}

function isProgram(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  )
}

function lastLine(text: Buffer): string {
  return text.toString().trim().split('\n').at(-1) ?? ''
}

function refusal(message: string): TroupeError {
  return new TroupeError('CONFIG_INVALID', `taskTypes: ${message}`)
}
