/**
 * Installs what tests want and this machine lacks: only as root on Debian, and only when
 * TROUPE_TEST_INSTALL is 1, which `.ci/run` sets. Without it, what needs a package is skipped by name.
 */
import { execFileSync, type ExecFileSyncOptions } from 'node:child_process'
import { existsSync } from 'node:fs'

/** The package that brings each program. */
const PACKAGES: Readonly<Record<string, string>> = { '/usr/bin/chromium': 'chromium' }
const INSTALL_LIMIT_MS = 300_000

export function installMissingPackages(): void {
  const isAllowed = process.env['TROUPE_TEST_INSTALL'] === '1'
  if (!isAllowed || process.getuid?.() !== 0 || !existsSync('/etc/debian_version')) return
  const missing = Object.entries(PACKAGES).flatMap(([program, name]) =>
    existsSync(program) ? [] : [name],
  )
  if (missing.length === 0) return
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const options: ExecFileSyncOptions = { env, timeout: INSTALL_LIMIT_MS, stdio: 'inherit' }
  execFileSync('apt-get', ['update', '-qq'], options)
  execFileSync('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...missing], options)
}
