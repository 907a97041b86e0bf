/** Where the row `durable` writes: beside the bench, on a real disk, never in a file system of memory. */
import { mkdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

export const FOLDER = fileURLToPath(new URL('../../../out', import.meta.url))
mkdirSync(FOLDER, { recursive: true })
