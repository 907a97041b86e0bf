/**
 * The memory limits that control groups put on this process, its own and those of every group above
 * it: Node tells only of its own, and none of a parent's. Versions 1 and 2, and both at once. Parsers
 * take files' contents; only `memoryGroups` and `readGroup` read.
 */
import { existsSync, readFileSync } from 'node:fs'
import { posix } from 'node:path'

/** Version 1 says "no limit" with a number of pages near 2^63. */
const NO_LIMIT_BYTES = 2 ** 60
/** Deeper trees than this are cut off at the bottom. */
const MAX_GROUPS = 64

type CgroupVersion = 1 | 2

/** Where a hierarchy that counts memory is mounted, and which part of it. */
interface CgroupMount {
  readonly version: CgroupVersion
  readonly mountPoint: string
  /** The group that is visible at the mount point. */
  readonly root: string
}

/** A group's folder. */
export interface MemoryGroup {
  readonly version: CgroupVersion
  readonly folder: string
}

/** A limit and what counts against it, in bytes. */
export interface GroupMemory {
  readonly folder: string
  readonly limitBytes: number
  /** Without file pages that the kernel can drop at any time. */
  readonly usedBytes: number
}

/** From /proc/self/mountinfo: the mounts that may count memory. */
export function parseMounts(mountinfo: string): CgroupMount[] {
  const mounts: CgroupMount[] = []
  for (const line of mountinfo.split('\n')) {
    const [before, after] = line.split(' - ')
    const [, , , root, mountPoint] = (before ?? '').split(' ')
    const [type, , options] = (after ?? '').split(' ')
    if (root === undefined || mountPoint === undefined) continue
    const place = { mountPoint: unescape(mountPoint), root: unescape(root) }
    if (type === 'cgroup2') mounts.push({ version: 2, ...place })
    if (type === 'cgroup' && options?.split(',').includes('memory')) {
      mounts.push({ version: 1, ...place })
    }
  }
  return mounts
}

/** From /proc/self/cgroup: this process's group in the hierarchy of each version. */
export function parseOwnGroups(cgroup: string): Partial<Record<CgroupVersion, string>> {
  const groups: Partial<Record<CgroupVersion, string>> = {}
  for (const line of cgroup.split('\n')) {
    const match = /^\d+:([^:]*):(\/.*)$/.exec(line)
    if (!match) continue
    const controllers = match[1] as string
    if (controllers === '') groups[2] = match[2] as string
    else if (controllers.split(',').includes('memory')) groups[1] = match[2] as string
  }
  return groups
}

/** The folders of a group and of all groups above it that the mount shows, own first. */
export function groupFolders(mount: CgroupMount, group: string): string[] {
  const below = posix.relative(mount.root, group)
  // A container may name a group outside of what it sees: then its own is the mount itself.
  const path = below.startsWith('..') ? '' : below
  const folders: string[] = []
  let folder = posix.join(mount.mountPoint, path)
  while (folders.length < MAX_GROUPS && folder.startsWith(mount.mountPoint)) {
    folders.push(folder)
    if (folder === mount.mountPoint || folder === '/') break
    folder = posix.dirname(folder)
  }
  return folders
}

/** From memory.max or memory.limit_in_bytes. Null for no limit. */
export function parseLimit(text: string): number | null {
  const bytes = Number(text.trim() || Number.NaN)
  return Number.isFinite(bytes) && bytes < NO_LIMIT_BYTES ? bytes : null
}

/** From memory.current or memory.usage_in_bytes, and memory.stat. */
export function parseUsed(version: CgroupVersion, usage: string, stat: string): number {
  const key = version === 2 ? 'inactive_file' : 'total_inactive_file'
  const match = new RegExp(`^${key} (\\d+)$`, 'm').exec(stat)
  return Math.max(0, Number(usage.trim()) - Number(match?.[1] ?? 0))
}

/** Every group, own first, that could limit the memory of the process with these files in /proc. */
export function memoryGroups(
  cgroup: string = readOr('/proc/self/cgroup', ''),
  mountinfo: string = readOr('/proc/self/mountinfo', ''),
): MemoryGroup[] {
  const own = parseOwnGroups(cgroup)
  return parseMounts(mountinfo).flatMap((mount) => {
    const group = own[mount.version]
    if (group === undefined) return []
    return groupFolders(mount, group)
      .filter((folder) => existsSync(posix.join(folder, fileNames(mount.version).limit)))
      .map((folder) => ({ version: mount.version, folder }))
  })
}

/** The group's limit and use. Null when it has no limit. */
export function readGroup({ version, folder }: MemoryGroup): GroupMemory | null {
  const names = fileNames(version)
  const limitBytes = parseLimit(readOr(posix.join(folder, names.limit), ''))
  if (limitBytes === null) return null
  const usage = readOr(posix.join(folder, names.usage), '0')
  const stat = readOr(posix.join(folder, 'memory.stat'), '')
  return { folder, limitBytes, usedBytes: parseUsed(version, usage, stat) }
}

function fileNames(version: CgroupVersion): { limit: string; usage: string } {
  if (version === 2) return { limit: 'memory.max', usage: 'memory.current' }
  return { limit: 'memory.limit_in_bytes', usage: 'memory.usage_in_bytes' }
}

/** mountinfo writes a blank as \040. */
function unescape(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(parseInt(octal, 8)),
  )
}

function readOr(path: string, otherwise: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return otherwise
  }
}
