/**
 * Holds what was downloaded against what the portal has: every file is read again from the disk and
 * its checksum compared. It trusts nothing that a worker reported but where a file lies.
 */
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { PortalOrder } from './portal.ts'
import type { OrderResult } from './tasks.ts'

export interface Verified {
  readonly files: number
  readonly checksumsOk: number
  readonly bytes: number
  /** One line for each file that is not as the portal has it. */
  readonly problems: readonly string[]
}

/** Compares the files of one order. Without an `expected` order, no file may have come. */
export async function verify(
  result: OrderResult,
  expected: PortalOrder | undefined,
): Promise<Verified> {
  const problems: string[] = []
  let bytes = 0
  for (const file of result.files) {
    const wanted = expected?.files.find(({ name }) => name === file.name)
    const body = await readFile(file.path).catch(() => Buffer.alloc(0))
    const sha256 = createHash('sha256').update(body).digest('hex')
    bytes += body.length
    if (wanted?.sha256 !== sha256 || file.sha256 !== sha256) {
      problems.push(`${file.name}: wanted ${wanted?.sha256}, told ${file.sha256}, found ${sha256}`)
    }
  }
  const checksumsOk = result.files.length - problems.length
  const names = new Set(result.files.map(({ name }) => name))
  for (const { name } of result.success ? (expected?.files ?? []) : []) {
    if (!names.has(name)) problems.push(`${name}: did not come`)
  }
  return { files: result.files.length, checksumsOk, bytes, problems }
}
