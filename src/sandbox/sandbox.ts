/**
 * The command lines of disposable processes: resource limits by prlimit, and apart from the machine
 * by bubblewrap where that works. Without it a shell leads the group, so that a program that
 * renames itself is still found by its worker's mark; that is a guard against accidents and no
 * sandbox. It builds command lines and never runs them.
 */
import { lstatSync, readlinkSync, realpathSync } from 'node:fs'
import type { DisposableMeans, Sandbox } from '../process/ipc/child-types.ts'
import type { DisposableLimits } from '../config/task-types.ts'

/** Of the sandbox's one user, who owns nothing. */
const NOBODY = '65534'
/** Where the sandbox has its Node. */
const NODE_INSIDE = '/node'
/** Open files of a disposable process. */
const MAX_OPEN_FILES = 256
const SYSTEM_FOLDERS = ['/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32']
/** What dynamic linking and Debian's alternatives need of /etc; none of it is a secret. */
const SYSTEM_FILES = ['/etc/ld.so.cache', '/etc/alternatives']
/** Keeps the mark on the command line of the group's leader, and hands nothing on but the rest. */
const LEADER = 'shift; env -i "$@"; exit $?'

interface CommandLine {
  readonly program: string
  readonly args: readonly string[]
}

export interface DisposableProgram {
  /** `node`: this very Node; otherwise an absolute path. */
  readonly program: string
  readonly args: readonly string[]
}

/** How to start `wanted` within `limits`, known by `mark`. */
export function commandLine(
  wanted: DisposableProgram,
  means: Pick<DisposableMeans, 'sandbox' | 'prlimit'>,
  limits: DisposableLimits,
  mark: string,
): CommandLine {
  const { sandbox, prlimit } = means
  const inner = sandbox.kind === 'none' ? plain(wanted) : apart(wanted, sandbox, limits, mark)
  const limited = prlimit === null ? inner : [prlimit, ...limitArgs(limits), ...inner]
  if (sandbox.kind !== 'none') return split(limited)
  if (process.platform === 'win32') return split(limited)
  return { program: '/bin/sh', args: ['-c', LEADER, 'troupe-disposable', mark, ...limited] }
}

function plain({ program, args }: DisposableProgram): string[] {
  return [program === 'node' ? process.execPath : program, ...args]
}

function split([program = '', ...args]: readonly string[]): CommandLine {
  return { program, args }
}

function limitArgs({ memory, cpu, fileSize }: DisposableLimits): string[] {
  return [
    `--data=${memory}`,
    `--cpu=${cpu}`,
    `--fsize=${fileSize}`,
    `--nofile=${MAX_OPEN_FILES}`,
    '--core=0',
  ]
}

function apart(
  { program, args }: DisposableProgram,
  sandbox: Extract<Sandbox, { kind: 'bubblewrap' }>,
  limits: DisposableLimits,
  mark: string,
): string[] {
  const isNode = program === 'node'
  return [
    [sandbox.program],
    // No session of its own within: it must stay in the group that is killed.
    ['--unshare-all', '--die-with-parent', '--clearenv', '--cap-drop', 'ALL'],
    ['--uid', NOBODY, '--gid', NOBODY, '--proc', '/proc', '--dev', '/dev'],
    isNode ? nodeMounts(sandbox.libraries) : systemMounts(program, limits),
    // A link to nowhere: an argument that leaves no trace in the environment.
    ['--symlink', mark, '/.worker', '--remount-ro', '/dev', '--remount-ro', '/'],
    ['--chdir', isNode ? '/' : '/tmp', '--', isNode ? NODE_INSIDE : program, ...args],
  ].flat()
}

/** Nothing but Node and what it has loaded. */
function nodeMounts(libraries: readonly string[]): string[] {
  const links = libraries.flatMap((path) => ['--ro-bind', realpathSync(path), path])
  return [...links, '--ro-bind', realpathSync(process.execPath), NODE_INSIDE]
}

/** The system's programs, read-only, and a temporary folder of bounded size. */
function systemMounts(program: string, limits: DisposableLimits): string[] {
  const own = program.startsWith('/usr/') ? [] : ['--ro-bind', realpathSync(program), program]
  return [
    ['--ro-bind', '/usr', '/usr'],
    ...SYSTEM_FOLDERS.map(systemMount),
    ...SYSTEM_FILES.map((path) => ['--ro-bind-try', path, path]),
    own,
    ['--size', String(limits.fileSize), '--tmpfs', '/tmp'],
  ].flat()
}

function systemMount(path: string): string[] {
  const facts = lstatSync(path, { throwIfNoEntry: false })
  if (facts === undefined) return []
  return facts.isSymbolicLink()
    ? ['--symlink', readlinkSync(path), path]
    : ['--ro-bind', path, path]
}
