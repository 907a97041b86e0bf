/**
 * Chromium as a process: its flags, its own process group, its pipe. Started before puppeteer is even loaded, so that
 * the two overlap. It speaks no protocol: it hands whole messages over.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'
import { TroupeError } from '../../common/errors.ts'
import type { LaunchSpec } from '../../process/ipc/protocol.ts'

/** What Chromium wrote last before it ended, for the error message. */
const MAX_STDERR_CHARS = 4_096

/**
 * Every flag here either keeps a browser quiet and steady under automation, or saves memory and start time:
 * no startup window and the network service in the browser process save about 50 MB a worker. The
 * window is as large as puppeteer's own default.
 */
const FLAGS: readonly string[] = [
  '--no-startup-window',
  '--window-size=800,600',
  '--hide-scrollbars',
  '--mute-audio',
  '--no-first-run',
  '--no-default-browser-check',
  '--password-store=basic',
  '--use-mock-keychain',
  '--force-color-profile=srgb',
  '--metrics-recording-only',
  '--export-tagged-pdf',
  '--enable-automation',
  '--allow-pre-commit-input',
  '--disable-background-networking',
  '--disable-background-timer-throttling',
  '--disable-backgrounding-occluded-windows',
  '--disable-breakpad',
  '--disable-client-side-phishing-detection',
  '--disable-component-extensions-with-background-pages',
  '--disable-crash-reporter',
  '--disable-default-apps',
  '--disable-dev-shm-usage',
  '--disable-extensions',
  '--disable-hang-monitor',
  '--disable-infobars',
  '--disable-ipc-flooding-protection',
  '--disable-popup-blocking',
  '--disable-prompt-on-repost',
  '--disable-renderer-backgrounding',
  '--disable-search-engine-choice-screen',
  '--disable-sync',
]
const ENABLED = ['NetworkServiceInProcess2', 'PdfOopif']
/** The back-forward cache and prerendering would keep pages of one task alive into the next. */
const DISABLED = [
  'Translate',
  'AcceptCHFrame',
  'MediaRouter',
  'OptimizationHints',
  'BackForwardCache',
  'Prerender2',
  'ProcessPerSiteUpToMainFrameThreshold',
  'IsolateSandboxedIframes',
]
const WANTS_SOFTWARE_GL = ['--use-gl', '--use-angle', '--enable-unsafe-swiftshader']

/**
 * Our flags, then the user's: Chromium takes the last of each. Lists of features are merged. By what
 * comes after the user's a browser is steered, and found and cleared away when its worker is dead.
 */
export function chromiumArgs(spec: LaunchSpec): string[] {
  const own = [...FLAGS]
  if (spec.headless) own.push('--headless')
  if (!spec.args.some((arg) => WANTS_SOFTWARE_GL.some((flag) => arg.startsWith(flag)))) {
    own.push('--disable-software-rasterizer')
  }
  const enabled = featuresOf('--enable-features=', spec.args)
  const disabled = featuresOf('--disable-features=', spec.args)
  const rest = spec.args.filter((arg) => !/^--(enable|disable)-features=/.test(arg))
  const off = (features: readonly string[]) => (feature: string) => !features.includes(feature)
  return [
    ...own,
    `--enable-features=${[...ENABLED.filter(off(disabled)), ...enabled].join(',')}`,
    `--disable-features=${[...DISABLED.filter(off(enabled)), ...disabled].join(',')}`,
    ...rest,
    '--remote-debugging-pipe',
    `--user-data-dir=${spec.profileFolder}`,
  ]
}

function featuresOf(flag: string, args: readonly string[]): string[] {
  return args
    .filter((arg) => arg.startsWith(flag))
    .flatMap((arg) => arg.slice(flag.length).split(','))
    .filter((feature) => feature !== '')
}

/** The pipe as puppeteer's `ConnectionTransport` wants it. */
interface PipeTransport {
  send(message: string): void
  close(): void
  onmessage?: (message: string) => void
  onclose?: () => void
}

export class BrowserProcess {
  readonly pid: number | null
  readonly transport: PipeTransport
  /** Resolves once the process has ended. */
  readonly exited: Promise<void>
  /** Rejects if the process can't be started, or ends. Handled from the start. */
  readonly failed: Promise<never>
  readonly #child: ChildProcess
  #stderr = ''
  #hasExited = false

  constructor(spec: LaunchSpec) {
    const env: NodeJS.ProcessEnv = { ...process.env, TMPDIR: spec.tmpFolder }
    this.#child = spawn(spec.executablePath, chromiumArgs(spec), {
      detached: true,
      env,
      stdio: ['ignore', 'ignore', 'pipe', 'pipe', 'pipe'],
    })
    this.pid = this.#child.pid ?? null
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-MAX_STDERR_CHARS)
    })
    this.exited = new Promise<void>((resolve) => {
      this.#child.once('exit', () => resolve())
      this.#child.once('error', () => resolve())
    }).then(() => {
      this.#hasExited = true
      // Its helpers share its group and may outlive it.
      this.kill()
    })
    this.failed = new Promise<never>((_resolve, reject) => {
      this.#child.once('error', (error) => reject(launchError(spec, error)))
      this.#child.once('exit', (code, signal) => reject(this.#ended(code, signal)))
    })
    this.failed.catch(() => undefined)
    this.transport = transportOf(this.#child)
  }

  get isRunning(): boolean {
    return !this.#hasExited && this.pid !== null
  }

  /** SIGKILL to the whole group. */
  kill(): void {
    if (this.pid === null) return
    try {
      process.kill(-this.pid, 'SIGKILL')
    } catch {
      // The group is gone already, which is what was wanted.
    }
  }

  #ended(code: number | null, signal: string | null): TroupeError {
    const how = signal === null ? `with exit code ${code}` : `by ${signal}`
    const said = this.#stderr.trim() === '' ? '' : ` Its last words: ${this.#stderr.trim()}`
    return new TroupeError('WORKER_START_FAILED', `the browser ended ${how}.${said}`)
  }
}

function launchError(spec: LaunchSpec, error: NodeJS.ErrnoException): TroupeError {
  const { executablePath } = spec
  if (error.code === 'ENOENT') {
    const message = `No browser was found at ${executablePath}. Name one with browser.executablePath.`
    return new TroupeError('BROWSER_NOT_FOUND', message, { cause: error })
  }
  if (error.code === 'EACCES') {
    const message = `The browser at ${executablePath} may not be executed: check its permissions.`
    return new TroupeError('BROWSER_NOT_FOUND', message, { cause: error })
  }
  const message = `The browser at ${executablePath} did not start: ${error.message}`
  return new TroupeError('WORKER_START_FAILED', message, { cause: error })
}

function transportOf(child: ChildProcess): PipeTransport {
  const input = child.stdio[3] as Writable
  const output = child.stdio[4] as Readable
  const transport: PipeTransport = {
    send: (message) => void input.write(`${message}\0`),
    close: () => {
      input.destroy()
      output.destroy()
    },
  }
  let parts: Buffer[] = []
  let isClosed = false
  const close = (): void => {
    if (isClosed) return
    isClosed = true
    transport.onclose?.()
  }
  output.on('data', (chunk: Buffer) => {
    let start = 0
    for (let end = chunk.indexOf(0); end !== -1; end = chunk.indexOf(0, start)) {
      parts.push(chunk.subarray(start, end))
      const message = parts.length === 1 ? parts[0] : Buffer.concat(parts)
      parts = []
      start = end + 1
      // One message a turn, so that promises settled by one are seen before the next, as puppeteer's own pipe does.
      setImmediate(() => transport.onmessage?.(message?.toString() ?? ''))
    }
    if (start < chunk.length) parts.push(chunk.subarray(start))
  })
  output.on('close', close)
  output.on('error', close)
  // A write to a browser that is gone; 'close' follows.
  input.on('error', () => undefined)
  return transport
}
