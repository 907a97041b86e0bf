/**
 * What Troupe logs through: a small interface, with winston behind it. Lines go to stderr: JSON for
 * machines, short text for a terminal. Winston is loaded with the first logger, not with this file.
 * Secrets are redacted by the name of their key.
 */
import { createRequire } from 'node:module'
import type { Writable } from 'node:stream'
import type { Logger as WinstonLogger } from 'winston'
import type * as Winston from 'winston'
import { logFields } from './log-fields.ts'

export type LogLevel = 'error' | 'warn' | 'info' | 'debug'
export type LogFields = Readonly<Record<string, unknown>>

/** What a logger of your own must have. `console` will do. */
export interface LogSink {
  error(message: string, fields?: LogFields): unknown
  warn(message: string, fields?: LogFields): unknown
  info(message: string, fields?: LogFields): unknown
  debug(message: string, fields?: LogFields): unknown
}

/** What Troupe itself logs through. */
export interface Logger {
  error(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  debug(message: string, fields?: LogFields): void
  /** A logger that adds these fields to every line. */
  child(bindings: LogFields): Logger
  /**
   * Resolves when every line so far has been handed to the system, or after FLUSH_LIMIT_MS. Never
   * rejects.
   */
  flush(): Promise<void>
}

export interface LoggerOptions {
  readonly observability: 'basic' | 'detailed' | 'complete'
  /** Where lines go. Default: stderr. */
  readonly destination?: Writable & { readonly isTTY?: boolean }
}

/** A reader that stopped reading must not hold up a shutdown. */
export const FLUSH_LIMIT_MS = 2_000
const LEVELS: Readonly<Record<LoggerOptions['observability'], LogLevel>> = {
  basic: 'info',
  detailed: 'debug',
  complete: 'debug',
}

/** Logs nothing. */
export const silentLogger: Logger = Object.freeze({
  error() {},
  warn() {},
  info() {},
  debug() {},
  child: () => silentLogger,
  flush: () => Promise.resolve(),
})

/**
 * A logger that writes lines to stderr or to `destination`.
 *
 * @example
 * const log = createLogger({ observability: 'basic' }).child({ worker: 'worker-1' })
 * log.warn('browser lost', { error, password: 'never shown' })
 */
export function createLogger(options: LoggerOptions): Logger {
  const destination = options.destination ?? process.stderr
  const winston = createRequire(import.meta.url)('winston') as typeof Winston
  const transport = new winston.transports.Stream({ stream: destination })
  const logger = winston.createLogger({
    level: LEVELS[options.observability],
    format: winston.format.printf(destination.isTTY ? humanLine : jsonLine),
    transports: [transport],
    exitOnError: false,
  })
  forgive(destination)
  logger.on('error', () => {})
  return winstonLogger(logger, destination, {})
}

/** The logger a configuration asks for: none, the user's own, or Troupe's. */
export function loggerOf(config: {
  readonly logger: 'silent' | LogSink | null
  readonly observability: LoggerOptions['observability']
}): Logger {
  if (config.logger === 'silent') return silentLogger
  if (config.logger === null) return createLogger({ observability: config.observability })
  return sinkLogger(config.logger, LEVELS[config.observability] === 'debug', {})
}

const forgiven = new WeakSet<Writable>()

/** A closed stderr (EPIPE) must not take the pool down: the lines are lost, the work is not. */
function forgive(destination: Writable): void {
  if (forgiven.has(destination)) return
  forgiven.add(destination)
  destination.on('error', () => {})
}

function winstonLogger(logger: WinstonLogger, destination: Writable, bindings: LogFields): Logger {
  const write = (level: LogLevel) => (message: string, fields?: LogFields) => {
    if (!logger.isLevelEnabled(level)) return
    // Not winston's own meta: it loses errors, and `message` in it would be glued to ours.
    logger.log({ level, message, fields: logFields(bindings, fields) })
  }
  return {
    error: write('error'),
    warn: write('warn'),
    info: write('info'),
    debug: write('debug'),
    child: (more) => winstonLogger(logger, destination, { ...bindings, ...more }),
    flush: () => drained(logger, destination),
  }
}

function sinkLogger(sink: LogSink, debug: boolean, bindings: LogFields): Logger {
  const write = (level: LogLevel) => (message: string, fields?: LogFields) => {
    if (level === 'debug' && !debug) return
    try {
      sink[level](message, logFields(bindings, fields))
    } catch {
      // A logger that throws is its owner's trouble, and must not become a task's.
    }
  }
  return {
    error: write('error'),
    warn: write('warn'),
    info: write('info'),
    debug: write('debug'),
    child: (more) => sinkLogger(sink, debug, { ...bindings, ...more }),
    flush: () => Promise.resolve(),
  }
}

function jsonLine(info: Winston.Logform.TransformableInfo): string {
  const { level, message, fields } = info
  const time = new Date().toISOString()
  return JSON.stringify({ time, level, message, ...(fields as LogFields) })
}

function humanLine(info: Winston.Logform.TransformableInfo): string {
  const time = new Date().toTimeString().slice(0, 8)
  const fields = Object.entries(info.fields as LogFields).map(([key, value]) => {
    const text = typeof value === 'string' && /^\S+$/.test(value) ? value : JSON.stringify(value)
    return ` ${key}=${text}`
  })
  return `${time} ${info.level.padEnd(5)} ${info.message}${fields.join('')}`
}

/** Waits for winston's own buffer, then for what the destination still holds. */
function drained(logger: WinstonLogger, destination: Writable): Promise<void> {
  return new Promise((resolve) => {
    const limit = setTimeout(resolve, FLUSH_LIMIT_MS)
    const done = () => {
      clearTimeout(limit)
      resolve()
    }
    const flushDestination = () => {
      if (destination.writableEnded || destination.destroyed) return done()
      destination.write('', done)
    }
    if (logger.writableLength === 0) flushDestination()
    else logger.once('drain', flushDestination)
  })
}
