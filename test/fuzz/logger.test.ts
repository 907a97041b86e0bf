/**
 * A log line is one line of JSON whatever it is given, keeps errors readable, and tells no secret.
 */
import { execFileSync } from 'node:child_process'
import { Writable } from 'node:stream'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createLogger, type LogSink, loggerOf, silentLogger } from '../../src/common/logger.ts'

class Memory extends Writable {
  text = ''
  override _write(chunk: Buffer, _: string, done: () => void): void {
    this.text += chunk.toString()
    done()
  }
  get lines(): Record<string, unknown>[] {
    return this.text
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as never)
  }
}

const LOGGER = JSON.stringify(new URL('../../src/common/logger.ts', import.meta.url).href)

describe('createLogger', () => {
  it('writes one line of JSON, whatever the fields are', async () => {
    const anything = fc.anything({ withBigInt: true, withMap: true, withSet: true, withDate: true })
    await fc.assert(
      fc.asyncProperty(fc.string(), fc.dictionary(fc.string(), anything), async (text, fields) => {
        const destination = new Memory()
        const log = createLogger({ observability: 'detailed', destination }).child({ slot: 'w' })
        log.debug(text, fields)
        await log.flush()
        expect(destination.lines).toMatchObject([{ level: 'debug', message: text }])
      }),
      { numRuns: 300 },
    )
  })

  it('redacts by key, at any depth', async () => {
    const secret = 'hunter2-do-not-tell'
    const key = fc.constantFrom(
      'password',
      'Cookie',
      'authorization',
      'apiKey',
      'set-cookie',
      'accessToken',
    )
    const above = fc.array(fc.constantFrom('a', 'b', 'cause'), { maxLength: 4 })
    await fc.assert(
      fc.asyncProperty(key, above, async (name, path) => {
        const destination = new Memory()
        const log = createLogger({ observability: 'basic', destination })
        const fields = path.reduce<object>((inner, step) => ({ [step]: inner }), { [name]: secret })
        log.info('in', { ...fields })
        log.child({ [name]: secret }).info('bound')
        log.info('error', { error: Object.assign(new Error('x'), { [name]: secret }) })
        await log.flush()
        expect(destination.lines).toHaveLength(3)
        expect(destination.text).not.toContain(secret)
      }),
      { numRuns: 100 },
    )
  })

  it('keeps what an error says, with its causes', async () => {
    const destination = new Memory()
    const log = createLogger({ observability: 'basic', destination })
    const cause = Object.assign(new TypeError('beneath'), { code: 'E_DEEP' })
    log.error('failed', { error: new Error('above', { cause }), message: 'not lost' })
    await log.flush()
    expect(destination.lines).toMatchObject([
      {
        message: 'failed',
        message_: 'not lost',
        error: {
          message: 'above',
          cause: { name: 'TypeError', message: 'beneath', code: 'E_DEEP' },
        },
      },
    ])
  })

  it('keeps to its level', async () => {
    const destination = new Memory()
    const log = createLogger({ observability: 'basic', destination })
    log.debug('no')
    log.child({}).debug('no')
    log.info('yes')
    await log.flush()
    expect(destination.lines.map(({ message }) => message)).toEqual(['yes'])
  })

  it('has written every line when flush resolves, before the process exits', () => {
    const script = `
      const { createLogger } = await import(${LOGGER})
      const log = createLogger({ observability: 'basic' })
      for (let n = 0; n < 5000; n++) log.info('line ' + n, { text: 'x'.repeat(100) })
      await log.flush()
      process.exit(0)`
    // A reader slower than the writer: the pipe is full long before the last line.
    const command = '"$0" --input-type=module -e "$1" 2>&1 | (sleep 0.2; wc -l)'
    const args = ['-c', command, process.execPath, script]
    expect(execFileSync('/bin/sh', args, { encoding: 'utf8' }).trim()).toBe('5000')
  })

  it('does not load winston before it is needed', () => {
    const script = `
      await import(${LOGGER})
      const { createRequire } = await import('node:module')
      const paths = Object.keys(createRequire('/').cache)
      const loaded = paths.filter((path) => path.includes('winston'))
      console.log(loaded.length)`
    const args = ['--input-type=module', '-e', script]
    expect(execFileSync(process.execPath, args, { encoding: 'utf8' }).trim()).toBe('0')
  })
})

describe('loggerOf', () => {
  it('uses the logger that was given, and survives it', () => {
    const lines: unknown[] = []
    const sink: LogSink = {
      error: () => {
        throw new Error('a broken logger')
      },
      warn: (...line) => lines.push(line),
      info: (...line) => lines.push(line),
      debug: (...line) => lines.push(line),
    }
    const log = loggerOf({ logger: sink, observability: 'basic' }).child({ slot: 'worker-1' })
    log.error('lost')
    log.warn('kept', { token: 't' })
    log.debug('not at this level')
    expect(lines).toEqual([['kept', { slot: 'worker-1', token: '[redacted]' }]])
    expect(loggerOf({ logger: 'silent', observability: 'basic' })).toBe(silentLogger)
  })
})
