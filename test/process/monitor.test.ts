/**
 * Memory, processors and disk: what the files of Linux say, and what real processes really take.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, describe, expect, test } from 'vitest'
import {
  groupFolders,
  memoryGroups,
  parseLimit,
  parseMounts,
  parseOwnGroups,
  parseUsed,
  readGroup,
} from '../../src/monitor/cgroup.ts'
import { readDisk } from '../../src/monitor/disk.ts'
import {
  parseMeminfo,
  readMemory,
  readMemoryLimit,
  readMemoryUsed,
  smallest,
  tightest,
} from '../../src/monitor/memory.ts'
import { createMonitor, type MonitorReading } from '../../src/monitor/monitor.ts'
import { busyRatio, parseProcessorTimes } from '../../src/monitor/processor.ts'
import { parseStat } from '../../src/process/proc-files.ts'
import { parseRollup, parseStatus, readTreePss } from '../../src/monitor/tree.ts'
import {
  descendantsOf,
  isAlive,
  killGroup,
  killProcess,
  taskkillVerdict,
} from '../../src/process/process-group.ts'
import { parseListing } from '../../src/process/process-listing.ts'

const MONITOR = new URL('../../src/monitor/monitor.ts', import.meta.url).href
const MEGABYTE = 1024 * 1024
const children: ChildProcess[] = []

afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue
    const exited = once(child, 'exit')
    for (const pid of descendantsOf(child.pid as number)) killProcess(pid, 'SIGKILL')
    child.kill('SIGKILL')
    await exited
  }
})

/** A process that holds so much memory, with a child in a session of its own that does as well. */
async function holderOf(megabytes: number): Promise<number> {
  const hold = `
    globalThis.held = Buffer.alloc(${megabytes} * 1024 * 1024, 1)
    setInterval(() => {}, 1000)`
  const source = `
    const { spawn } = require('node:child_process')
    const child = spawn(process.execPath, ['-e', ${JSON.stringify(`${hold}; console.log('on')`)}], {
      detached: true,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    ${hold}
    child.stdout.once('data', () => console.log('on'))`
  const child = spawn(process.execPath, ['-e', source], { stdio: ['ignore', 'pipe', 'inherit'] })
  children.push(child)
  await once(createInterface({ input: child.stdout }), 'line')
  return child.pid as number
}

describe('control groups', () => {
  test('own group and mounts, version 2 in a container', () => {
    const mounts = parseMounts(
      '30 23 0:26 / /sys/fs/cgroup ro,nosuid - cgroup2 cgroup rw,nsdelegate\n' +
        '31 23 0:27 / /proc rw - proc proc rw\n',
    )
    expect(mounts).toEqual([{ version: 2, mountPoint: '/sys/fs/cgroup', root: '/' }])
    expect(parseOwnGroups('0::/kubepods/pod1/c1\n')).toEqual({ 2: '/kubepods/pod1/c1' })
  })

  test('version 1 and 2 at once, with blanks in a path', () => {
    const mounts = parseMounts(
      [
        '35 31 0:32 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory',
        '36 31 0:33 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu',
        '41 31 0:38 / /mnt/uni\\040fied rw - cgroup2 cgroup2 rw',
      ].join('\n'),
    )
    expect(mounts).toEqual([
      { version: 1, mountPoint: '/sys/fs/cgroup/memory', root: '/docker/abc' },
      { version: 2, mountPoint: '/mnt/uni fied', root: '/' },
    ])
    expect(parseOwnGroups('4:memory:/docker/abc/x\n3:cpu,cpuacct:/y\n0::/z:with:colons\n')).toEqual(
      {
        1: '/docker/abc/x',
        2: '/z:with:colons',
      },
    )
  })

  test('every group up the tree, and none outside of what is seen', () => {
    const mount = { version: 2, mountPoint: '/sys/fs/cgroup', root: '/' } as const
    expect(groupFolders(mount, '/a/b')).toEqual([
      '/sys/fs/cgroup/a/b',
      '/sys/fs/cgroup/a',
      '/sys/fs/cgroup',
    ])
    expect(groupFolders(mount, '/')).toEqual(['/sys/fs/cgroup'])
    const inside = { ...mount, root: '/docker/abc' }
    expect(groupFolders(inside, '/docker/abc')).toEqual(['/sys/fs/cgroup'])
    expect(groupFolders(inside, '/docker/abc/x')).toEqual(['/sys/fs/cgroup/x', '/sys/fs/cgroup'])
    expect(groupFolders(inside, '/../other')).toEqual(['/sys/fs/cgroup'])
    expect(groupFolders(inside, '/docker/abcdef')).toEqual(['/sys/fs/cgroup'])
  })

  test('limits and use', () => {
    expect(['max\n', '9223372036854771712\n', '', 'junk'].map(parseLimit)).toEqual([
      null,
      null,
      null,
      null,
    ])
    expect(['536870912\n', '0\n'].map(parseLimit)).toEqual([536_870_912, 0])
    expect(parseUsed(2, '1000\n', 'anon 500\ninactive_file 300\nactive_file 5\n')).toBe(700)
    expect(parseUsed(1, '1000\n', 'inactive_file 1\ntotal_inactive_file 400\n')).toBe(600)
    expect(parseUsed(2, '100\n', 'inactive_file 300\n')).toBe(0)
    expect(parseUsed(2, '100\n', '')).toBe(100)
  })

  test('a parent’s limit is found from its files, and an unlimited group has none', async () => {
    const mountPoint = await mkdtemp(join(tmpdir(), 'cgroup-'))
    const [parent, own] = [join(mountPoint, 'pod'), join(mountPoint, 'pod/worker')]
    await mkdir(own, { recursive: true })
    await writeFile(join(parent, 'memory.max'), '1000000\n')
    await writeFile(join(parent, 'memory.current'), '900000\n')
    await writeFile(join(parent, 'memory.stat'), 'anon 1\ninactive_file 100000\n')
    await writeFile(join(own, 'memory.max'), 'max\n')
    const mountinfo = `30 23 0:26 / ${mountPoint} rw - cgroup2 cgroup2 rw\n`
    const groups = memoryGroups('0::/pod/worker\n', mountinfo)
    expect(groups.map(({ folder }) => folder)).toEqual([own, parent])
    expect(groups.map(readGroup)).toEqual([
      null,
      { folder: parent, limitBytes: 1_000_000, usedBytes: 800_000 },
    ])
    expect(memoryGroups('', mountinfo)).toEqual([])
    await rm(mountPoint, { recursive: true })
  })

  test('the smallest limit is the limit; the fullest one is the danger', () => {
    const physical = { limitBytes: 1_000, usedBytes: 300, ratio: 0.3, source: 'physical' }
    const own = { limitBytes: 400, usedBytes: 100, ratio: 0.25, source: '/own' }
    const parent = { limitBytes: 600, usedBytes: 540, ratio: 0.9, source: '/parent' }
    expect(smallest([physical, own, parent])).toEqual({ bytes: 400, source: '/own' })
    expect(tightest([physical, own, parent])).toBe(parent)
  })

  test('on this machine', () => {
    const limit = readMemoryLimit()
    expect(limit.bytes).toBeGreaterThan(0)
    expect(limit.bytes).toBeLessThanOrEqual(totalmem())
    const memory = readMemory()
    expect(memory?.ratio).toBeGreaterThan(0)
    expect(memory?.ratio).toBeLessThanOrEqual(1)
    expect(readMemoryUsed()).toBeGreaterThan(10 * MEGABYTE)
    const meminfo = 'MemTotal:       2048 kB\nMemFree: 1 kB\nMemAvailable:   1024 kB\n'
    expect(parseMeminfo(meminfo)).toEqual({ totalBytes: 2 * MEGABYTE, availableBytes: MEGABYTE })
    expect(parseMeminfo('MemTotal: 1 kB\n')).toBe(null)
  })
})

describe('processes', () => {
  test('the files of /proc, awkward names included', () => {
    const tail = Array.from({ length: 40 }, (_, index) => index).join(' ')
    expect(parseStat(`7 (a) b (c) S 3 5 ${tail}`)).toEqual({
      state: 'S',
      parentPid: 3,
      groupId: 5,
      startTime: '16',
    })
    expect(parseStat('')).toBe(null)
    expect(parseStatus('VmRSS:  900 kB\nRssAnon:\t 100 kB\nRssFile: 1 kB\nRssShmem: 20 kB\n')).toBe(
      120 * 1024,
    )
    expect(parseRollup('Rss: 9 kB\nPss:       346 kB\nPss_Dirty: 116 kB\n')).toBe(346 * 1024)
  })

  test('the listings of other systems, and taskkill', () => {
    const listing = '  1     0 /sbin/launchd\r\n 20     1 /bin/x --user-data-dir=/a b\nnoise\n'
    expect(parseListing(listing)).toEqual([
      { pid: 1, parentPid: 0, command: '/sbin/launchd' },
      { pid: 20, parentPid: 1, command: '/bin/x --user-data-dir=/a b' },
    ])
    expect(taskkillVerdict(5, 0)).toBe(true)
    expect(taskkillVerdict(5, 128)).toBe(false)
    expect(() => taskkillVerdict(5, 1)).toThrow('taskkill of process 5')
  })

  test('who descends from whom, cycles survived', () => {
    const parents = new Map([
      [2, 1],
      [3, 2],
      [4, 3],
      [5, 1],
      [1, 4],
    ])
    expect(descendantsOf(2, parents)).toEqual([3, 4, 1, 5])
    expect(descendantsOf(9, parents)).toEqual([])
  })

  test('a signal to nobody is false, and never goes to everybody', async () => {
    const child = spawn('sleep', ['600'], { detached: true, stdio: 'ignore' })
    children.push(child)
    const pid = child.pid as number
    expect(isAlive(pid)).toBe(true)
    const exited = once(child, 'exit')
    expect(killGroup(pid, 'SIGKILL')).toBe(true)
    expect(await exited).toEqual([null, 'SIGKILL'])
    expect(killGroup(pid, 'SIGKILL')).toBe(false)
    expect(isAlive(pid)).toBe(false)
    for (const wrong of [0, 1, -1, -5, 1.5, Number.NaN]) {
      expect(() => killGroup(wrong, 'SIGKILL')).toThrow('not the id of a process')
      expect(() => killProcess(wrong, 'SIGKILL')).toThrow('not the id of a process')
    }
  })

  test('a tree counts whole, across sessions, and shared pages once', async () => {
    const pid = await holderOf(64)
    expect(descendantsOf(pid).length).toBe(1)
    const cheap = await readTreePss(pid)
    const exact = await readTreePss(pid, { exact: true })
    for (const bytes of [cheap, exact]) {
      expect(bytes).toBeGreaterThan(128 * MEGABYTE)
      expect(bytes).toBeLessThan(400 * MEGABYTE)
    }
    expect(Math.abs(exact - cheap) / exact).toBeLessThan(0.5)
    expect(await readTreePss(2 ** 22 + 1)).toBe(0)
    expect(await readTreePss(2 ** 22 + 1, { exact: true })).toBe(0)
  })
})

test('processors and disk', async () => {
  const before = parseProcessorTimes('cpu  100 0 100 700 100 0 0 0 0 0\ncpu0 1 1 1 1\n')
  const after = parseProcessorTimes('cpu  150 0 150 800 100 0 0 0 0 0\n')
  expect(before).toEqual({ busy: 200, total: 1_000 })
  expect(busyRatio(before as never, after as never)).toBe(0.5)
  expect(busyRatio(before as never, before as never)).toBe(null)
  expect(parseProcessorTimes('junk')).toBe(null)

  const folder = await mkdtemp(join(tmpdir(), 'disk-'))
  const disk = await readDisk(folder)
  expect(disk.freeBytes).toBeGreaterThan(0)
  expect(disk.freeBytes).toBeLessThanOrEqual(disk.totalBytes)
  await rm(folder, { recursive: true })
  // Before it is made it is where it will be.
  expect((await readDisk(join(folder, 'not', 'yet'))).totalBytes).toBe(disk.totalBytes)
})

describe('the monitor', () => {
  test('tells of every worker that lives, exactly in turn and cheaply in between', async () => {
    const [one, two] = [await holderOf(32), await holderOf(64)]
    const readings: MonitorReading[] = []
    const { promise, resolve } = Promise.withResolvers<void>()
    const monitor = createMonitor({
      intervalMs: 20,
      exactEveryMs: 3_600_000,
      pids: () =>
        new Map([
          ['a', one],
          ['b', two],
          ['gone', 2 ** 22 + 1],
        ]),
      folders: [tmpdir()],
      onReading: (reading) => {
        if (readings.push(reading) === 4) resolve()
      },
    })
    await promise
    monitor.stop()
    for (const { workers, memory, disk, lateMs } of readings) {
      expect(workers.map(({ slot, pid }) => [slot, pid])).toEqual([
        ['a', one],
        ['b', two],
      ])
      expect(memory?.ratio).toBeGreaterThan(0)
      expect(disk?.freeBytes).toBeGreaterThan(0)
      expect(lateMs).toBeGreaterThanOrEqual(0)
    }
    const exactOf = readings.map(({ workers }) =>
      workers.filter(({ exact }) => exact).map((w) => w.slot),
    )
    expect(exactOf.slice(0, 2).flat().sort()).toEqual(['a', 'b'])
    expect(exactOf.slice(2)).toEqual([[], []])
    // Estimates keep to what the exact readings taught.
    const [a, b] = readings[3]?.workers ?? []
    expect((b?.memoryBytes ?? 0) - (a?.memoryBytes ?? 0)).toBeGreaterThan(48 * MEGABYTE)
    expect(readings[0]?.processorRatio).toBe(null)
    expect(readings[3]?.processorRatio).toBeGreaterThanOrEqual(0)
  })

  test('tells of a reading that failed, and goes on', async () => {
    let asked = 0
    const problems: string[] = []
    const { promise, resolve } = Promise.withResolvers<MonitorReading>()
    const monitor = createMonitor({
      intervalMs: 5,
      exactEveryMs: 1_000,
      pids: () => {
        if (++asked <= 2) throw new Error(`bad reading ${asked}`)
        return new Map([['self', process.pid]])
      },
      onReading: resolve,
      onProblem: (error) => problems.push(error.message),
    })
    const reading = await promise
    monitor.stop()
    expect(problems).toEqual(['bad reading 1', 'bad reading 2'])
    expect(reading.workers[0]?.memoryBytes).toBeGreaterThan(MEGABYTE)
    expect(reading.disk).toBe(null)
  })

  test('uses what can be read when a part fails', async () => {
    const { promise, resolve } = Promise.withResolvers<MonitorReading>()
    const broken = (): never => {
      throw new Error('EMFILE')
    }
    const monitor = createMonitor({
      intervalMs: 5,
      exactEveryMs: 1_000,
      pids: () => new Map([['self', process.pid]]),
      folders: ['/bad', tmpdir()],
      readers: {
        memory: broken,
        processor: broken,
        disk: (folder) => (folder === '/bad' ? Promise.reject(new Error('EIO')) : readDisk(folder)),
      },
      onReading: resolve,
    })
    const { workers, memory, disk, failed } = await promise
    monitor.stop()
    expect(workers[0]?.memoryBytes).toBeGreaterThan(MEGABYTE)
    expect(disk?.freeBytes).toBeGreaterThan(0)
    expect(memory).toBe(null)
    expect(Object.keys(failed).sort()).toEqual(['disk', 'memory', 'processor'])
  })

  test('goes on when a reader never answers, and does not ask it again meanwhile', async () => {
    let [asked, answered] = [0, 0]
    const { promise, resolve } = Promise.withResolvers<MonitorReading>()
    const monitor = createMonitor({
      intervalMs: 20,
      exactEveryMs: 1_000,
      pids: () => new Map([['self', process.pid]]),
      folders: ['/net/dead'],
      readers: { disk: () => (++asked, new Promise(() => {})) },
      onReading: (reading) => {
        if (++answered === 3) resolve(reading)
      },
    })
    const { workers, disk, failed } = await promise
    monitor.stop()
    expect([asked, disk, failed.disk?.message]).toEqual([1, null, '/net/dead does not answer'])
    expect(workers).toHaveLength(1)
  })

  test('never keeps the host alive', async () => {
    const source = `
      const { createMonitor } = await import(${JSON.stringify(MONITOR)})
      createMonitor({ intervalMs: 5, exactEveryMs: 5, pids: () => new Map(), onReading: () => {} })`
    const child = spawn(process.execPath, ['--input-type=module', '-e', source], {
      stdio: 'inherit',
    })
    children.push(child)
    expect(await once(child, 'exit')).toEqual([0, null])
  })
})
