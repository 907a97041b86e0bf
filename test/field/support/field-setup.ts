/**
 * Once for a run of the field tests: the package is built, packed and unpacked where a stranger's
 * programs find it, beside links to what `npm install` would have brought with it. No network is
 * needed. Removed when the run is over.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { TestProject } from 'vitest/node'
import { installMissingPackages } from '../../support/debian-packages.ts'
import { type InstalledBrowser, installedBrowsers } from '../../support/installed-browsers.ts'

export interface FieldPlace {
  /** Programs in folders below it find the package. */
  readonly base: string
  readonly browsers: readonly InstalledBrowser[]
}

declare module 'vitest' {
  interface ProvidedContext {
    field: FieldPlace
  }
}

const root = fileURLToPath(new URL('../../../', import.meta.url))
/** What a user may import beside Troupe itself. */
const COMPANIONS = ['@sparticuz/chromium', 'fast-check', 'puppeteer']

export default async function setUpField(project: TestProject): Promise<() => void> {
  installMissingPackages()
  // A full Chromium puts a socket below TMPDIR, whose path must not be long.
  const base = mkdtempSync(join(tmpdir(), 'tf-'))
  unpackInto(base)
  project.provide('field', { base, browsers: await installedBrowsers() })
  return () => rmSync(base, { recursive: true, force: true, maxRetries: 3 })
}

function unpackInto(base: string): void {
  const options = {
    cwd: root,
    encoding: 'utf8',
    env: { ...process.env, NODE_OPTIONS: '' },
  } as const
  execFileSync('npm', ['run', '--silent', 'build'], options)
  const args = ['pack', '--ignore-scripts', '--json', '--pack-destination', base]
  const [{ filename }] = JSON.parse(execFileSync('npm', args, options)) as [{ filename: string }]
  execFileSync('tar', ['-xzf', join(base, filename), '-C', base])
  const modules = join(base, 'node_modules')
  mkdirSync(modules)
  renameSync(join(base, 'package'), join(modules, 'troupe'))
  const { dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>
  }
  for (const name of [...Object.keys(dependencies), ...COMPANIONS]) {
    const link = join(modules, name)
    mkdirSync(dirname(link), { recursive: true })
    symlinkSync(join(root, 'node_modules', name), link)
  }
}
