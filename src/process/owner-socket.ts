/**
 * The sign of life of a run folder's owner: a socket in the folder on which the pool listens. The
 * system closes it with the process, so it says more than a pid and a start time. It carries no
 * data and never keeps the host alive.
 */
import { lstatSync, rmSync } from 'node:fs'
import { connect, createServer, type Server } from 'node:net'
import { basename, join } from 'node:path'
import { TroupeError } from '../common/errors.ts'

export const SOCKET = 'owner.sock'
/** A UNIX socket's path may have 104 bytes on macOS and 108 on Linux. */
const MAX_SOCKET_PATH_BYTES = 100
/** An owner that takes longer to accept is stopped or swamped, not dead. */
const PROBE_TIMEOUT_MS = 1_000

/** The socket of a folder that this process owns, until it is closed or the process ends. */
export class OwnerSocket {
  #server: Server
  #inode: number | null
  #again: Promise<void> | null = null

  private constructor(server: Server, folder: string) {
    this.#server = server
    this.#inode = inodeOf(folder)
  }

  static async open(folder: string): Promise<OwnerSocket> {
    return new OwnerSocket(await listenIn(folder), folder)
  }

  /** False when something has removed or replaced it: whoever asks there hears nothing. */
  isThere(folder: string): boolean {
    return process.platform === 'win32' || (this.#inode !== null && inodeOf(folder) === this.#inode)
  }

  /** Never rejects: when it fails, `isThere` says so. */
  listenAgain(folder: string): Promise<void> {
    this.#again ??= this.#listenAgain(folder)
      .catch(() => undefined)
      .finally(() => {
        this.#again = null
      })
    return this.#again
  }

  async close(): Promise<void> {
    await this.#again
    await ended(this.#server)
  }

  async #listenAgain(folder: string): Promise<void> {
    // The end of a server removes what is under its path: it must not be the new one's socket.
    await ended(this.#server)
    rmSync(join(folder, SOCKET), { recursive: true, force: true })
    this.#server = await listenIn(folder)
    this.#inode = inodeOf(folder)
  }
}

function ended(server: Server): Promise<unknown> {
  return new Promise((done) => server.close(done))
}

function inodeOf(folder: string): number | null {
  if (process.platform === 'win32') return null
  const facts = lstatSync(join(folder, SOCKET), { throwIfNoEntry: false })
  return facts?.isSocket() === true ? facts.ino : null
}

function listenIn(folder: string): Promise<Server> {
  const server = createServer((socket) => socket.destroy())
  server.unref()
  return new Promise((fulfil, reject) => {
    server.once('error', reject)
    // Exclusive: inside a cluster worker, too, it is this process that answers.
    server.listen({ path: ownerAddress(folder), exclusive: true }, () => {
      server.off('error', reject)
      // A failed accept is no reason to bring the pool down: whoever asks sees the connection.
      server.on('error', () => undefined)
      fulfil(server)
    })
  })
}

/** Anything but a plain refusal counts as a sign of life. */
export function probeOwner(folder: string): Promise<'alive' | 'refused' | 'absent'> {
  return new Promise((fulfil) => {
    const socket = connect(ownerAddress(folder))
    socket.setTimeout(PROBE_TIMEOUT_MS)
    const settle = (answer: 'alive' | 'refused' | 'absent') => {
      socket.destroy()
      fulfil(answer)
    }
    socket.once('connect', () => settle('alive'))
    socket.once('timeout', () => settle('alive'))
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED') settle('refused')
      else settle(error.code === 'ENOENT' ? 'absent' : 'alive')
    })
  })
}

/** Windows has no sockets in folders; a named pipe stands in, and is gone with its owner. */
function ownerAddress(path: string): string {
  if (process.platform !== 'win32') return join(path, SOCKET)
  return `\\\\.\\pipe\\troupe-${basename(path).replace(/^\./, '')}`
}

/** @throws TroupeError CONFIG_INVALID when the folder's path leaves no room for a socket. */
export function assertSocketFits(folder: string): void {
  const path = join(folder, SOCKET)
  const bytes = Buffer.byteLength(path)
  if (process.platform === 'win32' || bytes < MAX_SOCKET_PATH_BYTES) return
  throw new TroupeError(
    'CONFIG_INVALID',
    `the run folder's path is too long: ${path} has ${bytes} bytes, a socket may have ` +
      `${MAX_SOCKET_PATH_BYTES - 1}. Set TMPDIR to a shorter folder`,
  )
}
