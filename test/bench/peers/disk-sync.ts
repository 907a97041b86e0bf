/**
 * What the disk itself allows in the row `durable`: one page and one `fdatasync` for each task, into a file that has
 * its size already, as SQLite's log has after its first round.
 */
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { FOLDER } from './disk-folder.ts'
import { printFigures } from './flow.ts'

const PAGES = 2_000
const LIMIT_MS = 2_000
const page = Buffer.alloc(4_096, 1)

const folder = mkdtempSync(join(FOLDER, 'troupe-sync-'))
const file = openSync(join(folder, 'log'), 'w')
for (let at = 0; at < PAGES; at++) writeSync(file, page, 0, page.length, at * page.length)
fdatasyncSync(file)

const startMs = performance.now()
let written = 0
while (performance.now() - startMs < LIMIT_MS) {
  writeSync(file, page, 0, page.length, (written % PAGES) * page.length)
  fdatasyncSync(file)
  written++
}
const tasksPerSecond = (written * 1_000) / (performance.now() - startMs)
closeSync(file)
rmSync(folder, { recursive: true })
printFigures({ tasksPerSecond })
