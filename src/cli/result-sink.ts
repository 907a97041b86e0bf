/**
 * Where results go: a file that is appended to and synced in batches, or stdout. What was
 * acknowledged by `close` is on the disk. It never rewrites a line.
 */
import { existsSync } from 'node:fs'
import { type FileHandle, open, truncate, unlink } from 'node:fs/promises'
import { TroupeError } from '../common/errors.ts'
import type { FinishedJobs } from './finished-jobs.ts'
import { formatResult, type ResultLine } from './result-line.ts'

/** Results wait this long at most before they are written and synced together. */
const BATCH_MS = 100
/** With this many bytes waiting, they are written at once, and `write` makes its caller wait. */
const BATCH_BYTES = 1024 * 1024

export interface ResultSink {
  /** Resolves at once, or once there is room again. Rejects after a failed write. */
  write(result: ResultLine): Promise<void>
  /** Writes and syncs what waits. Rejects when any write has failed. */
  close(): Promise<void>
}

/** What a batch is written to. */
interface Destination {
  append(text: string): Promise<void>
  close(): Promise<void>
}

/**
 * A sink that appends to a file, made if need be.
 *
 * @param finished what an earlier run left in it; null: it must not hold anything yet.
 * @throws CONFIG_INVALID when the file cannot be written, or holds results nobody asked to resume.
 */
export async function fileSink(path: string, finished: FinishedJobs | null): Promise<ResultSink> {
  const isNew = !existsSync(path)
  let file: FileHandle
  try {
    if (finished !== null) await truncate(path, finished.soundBytes)
    file = await open(path, 'a', 0o644)
  } catch (error) {
    const problem = `cannot be written: ${(error as Error).message}`
    throw new TroupeError('CONFIG_INVALID', `${path} ${problem}`, { cause: error })
  }
  if (finished === null && (await file.stat()).size > 0) {
    await file.close()
    const fix = 'add --resume to go on with it, or name another file with --out'
    throw new TroupeError('CONFIG_INVALID', `${path} holds results already; ${fix}`)
  }
  if (finished?.needsLineEnd) await file.appendFile('\n')
  return new BatchSink({
    append: async (text) => {
      await file.appendFile(text)
      await file.datasync().catch(ignoreUnsupported)
    },
    close: async () => {
      const { size } = await file.stat()
      await file.close()
      // A run that has written nothing leaves nothing of its own.
      if (isNew && size === 0) await unlink(path)
    },
  })
}

/** A sink that writes to a stream, such as stdout, and leaves it open. */
export function streamSink(stream: NodeJS.WritableStream): ResultSink {
  return new BatchSink({
    append: (text) =>
      new Promise((resolve, reject) => {
        stream.write(text, (error) => (error ? reject(error) : resolve()))
      }),
    close: () => Promise.resolve(),
  })
}

/** Pipes and some file systems cannot sync: EINVAL, ENOTSUP. */
function ignoreUnsupported(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EINVAL' && error.code !== 'ENOTSUP') throw error
}

class BatchSink implements ResultSink {
  readonly #destination: Destination
  #waiting: string[] = []
  #waitingBytes = 0
  #timer: NodeJS.Timeout | null = null
  #writing: Promise<void> = Promise.resolve()
  #failure: Error | null = null

  constructor(destination: Destination) {
    this.#destination = destination
  }

  async write(result: ResultLine): Promise<void> {
    if (this.#failure) throw this.#failure
    const line = formatResult(result)
    this.#waiting.push(line)
    this.#waitingBytes += line.length
    if (this.#waitingBytes >= BATCH_BYTES) await this.#flush()
    else this.#timer ??= setTimeout(() => void this.#flush().catch(() => {}), BATCH_MS)
  }

  async close(): Promise<void> {
    try {
      await this.#flush()
    } finally {
      await this.#destination.close()
    }
  }

  #flush(): Promise<void> {
    if (this.#timer) clearTimeout(this.#timer)
    this.#timer = null
    const text = this.#waiting.join('')
    this.#waiting = []
    this.#waitingBytes = 0
    this.#writing = this.#writing.then(() => this.#append(text))
    return this.#writing
  }

  async #append(text: string): Promise<void> {
    if (this.#failure) throw this.#failure
    if (text === '') return
    try {
      await this.#destination.append(text)
    } catch (error) {
      const message = `the results cannot be written any more: ${(error as Error).message}`
      this.#failure = new Error(message, { cause: error })
      throw this.#failure
    }
  }
}
