/** Builds the package first, so that the bench measures what users get and never a stale or half-written `dist`. */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** @throws Error with the compiler's words. */
export async function buildPackage(): Promise<void> {
  try {
    await promisify(execFile)('npm', ['run', '--silent', 'build'], { cwd: ROOT })
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string }
    throw new Error(`npm run build failed:\n${stdout}${stderr}`, { cause: error })
  }
}
