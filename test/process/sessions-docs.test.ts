/** The example of docs/sessions.md, run as it stands, against a little portal. */
import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { examplesOf, projectIn, writeExamples } from '../support/doc-examples.ts'
import { openMemberPortal } from '../support/member-portal.ts'

const run = promisify(execFile)

test('docs/sessions.md', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sessions-docs-'))
  await using portal = await openMemberPortal()
  try {
    await projectIn(folder, [])
    await writeExamples(folder, await examplesOf('sessions.md'))
    const env = { ...process.env, PORTAL: portal.url }
    const { stdout } = await run(process.execPath, ['members.ts'], { cwd: folder, env })
    expect(stdout).toMatch(/^ada\nbob\n/)
    // Which worker opens for which session is not the example's to say: bob's may have been ada's.
    for (const [name, logins] of portal.logins) {
      expect(stdout).toMatch(new RegExp(`name: '${name}', logins: ${logins}, workers: \\[`))
    }
    expect(stdout).toMatch(/name: 'bob', logins: \d+, workers: \[ 'worker-/)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})
