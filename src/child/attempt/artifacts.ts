/**
 * The files of one attempt, in `<artifact folder>/<task>/<name>`. A file appears under its name only when it is whole.
 * No name, wherever it comes from, leads out of that folder.
 */
import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { extname, join } from 'node:path'
import { assertRoom } from '../../monitor/disk.ts'
import type { Artifact } from '../../task/context.ts'

/** Longest file name, in UTF-8 bytes; leaves room for a counter below the usual 255. */
const MAX_NAME_BYTES = 200
const MAX_EXTENSION_BYTES = 20
/** Files one attempt may store. */
const MAX_ARTIFACTS = 10_000

/** `name` as a plain file name: no separators, no control characters, no leading dots, not too long. */
function safeName(name: string): string {
  const plain = name
    .normalize('NFC')
    // oxlint-disable-next-line no-control-regex -- control characters are what must go.
    .replace(/[\u0000-\u001f\u007f/\\:*?"<>|]+/g, '_')
    .replace(/^[.\s]+/, '')
    .replace(/[.\s]+$/, '')
  if (plain === '') return 'artifact'
  if (Buffer.byteLength(plain) <= MAX_NAME_BYTES) return plain
  const extension = extname(plain)
  const tail = Buffer.byteLength(extension) <= MAX_EXTENSION_BYTES ? extension : ''
  return cut(plain.slice(0, plain.length - tail.length), MAX_NAME_BYTES - tail.length) + tail
}

/** `taskId` as a folder name. Two ids never share one. */
function safeFolder(taskId: string): string {
  const safe = safeName(taskId)
  if (safe === taskId) return safe
  return `${safe.slice(0, 100)}-${createHash('sha256').update(taskId).digest('hex').slice(0, 12)}`
}

function cut(text: string, bytes: number): string {
  let end = Math.min(text.length, bytes)
  while (Buffer.byteLength(text.slice(0, end)) > bytes) end -= 1
  return text.slice(0, end)
}

/** Where files may go. */
interface ArtifactGround {
  readonly artifactFolder: string
  /** Bytes that must stay free on its disk; 0: none. */
  readonly diskFloorBytes: number
  /** True for a folder of the run: it is this user's alone. */
  readonly isInRun?: boolean
}

export class ArtifactBox {
  readonly #folder: string
  readonly #diskFloorBytes: number
  readonly #isPrivate: boolean
  readonly #names = new Set<string>()

  constructor({ artifactFolder, diskFloorBytes, isInRun = false }: ArtifactGround, taskId: string) {
    this.#folder = join(artifactFolder, safeFolder(taskId))
    this.#diskFloorBytes = diskFloorBytes
    this.#isPrivate = isInRun
  }

  async write(name: string, data: string | Uint8Array): Promise<Artifact> {
    const bytes = typeof data === 'string' ? Buffer.from(data) : data
    const sha256 = createHash('sha256').update(bytes).digest('hex')
    const stage = await this.#stage()
    const path = join(stage, 'data')
    await writeFile(path, bytes)
    return this.#adopt(stage, { name, path, bytes: bytes.byteLength, sha256 })
  }

  /** Fills a folder of its own with one file, by `fill`, and keeps that file. */
  async collect(fill: (folder: string) => Promise<Artifact>): Promise<Artifact> {
    const [artifact] = await this.collectAll(async (folder) => [await fill(folder)])
    return artifact as Artifact
  }

  /** The same with several files. */
  async collectAll(fill: (folder: string) => Promise<Artifact[]>): Promise<Artifact[]> {
    const stage = await this.#stage()
    try {
      const files = await fill(stage)
      this.#assertMore(files.length)
      return await Promise.all(files.map((file) => this.#place(file)))
    } finally {
      await rm(stage, { recursive: true, force: true })
    }
  }

  async #stage(): Promise<string> {
    this.#assertMore(1)
    // Each time: it may be gone since the last file.
    await mkdir(this.#folder, { recursive: true, ...(this.#isPrivate ? { mode: 0o700 } : {}) })
    await assertRoom(this.#folder, this.#diskFloorBytes, 'a file of the task', 'TASK_FAILED')
    // A name that nobody has: the folder may hold what is not Troupe's, and a stage is removed.
    return mkdtemp(join(this.#folder, '.part-'))
  }

  #assertMore(count: number): void {
    if (this.#names.size + count <= MAX_ARTIFACTS) return
    throw new RangeError(`a task can store at most ${MAX_ARTIFACTS} artifacts`)
  }

  async #adopt(stage: string, artifact: Artifact): Promise<Artifact> {
    const placed = await this.#place(artifact)
    await rm(stage, { recursive: true, force: true })
    return placed
  }

  async #place(artifact: Artifact): Promise<Artifact> {
    const name = this.#unusedName(safeName(artifact.name))
    const path = join(this.#folder, name)
    await rename(artifact.path, path)
    return { ...artifact, name, path }
  }

  /** A file of an earlier attempt is replaced; one of this attempt never is. */
  #unusedName(name: string): string {
    const extension = extname(name)
    const stem = name.slice(0, name.length - extension.length)
    let unused = name
    for (let count = 2; this.#names.has(unused); count += 1) unused = `${stem}-${count}${extension}`
    this.#names.add(unused)
    return unused
  }
}
