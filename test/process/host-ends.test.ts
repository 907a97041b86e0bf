/**
 * However the host ends, it ends as it would without a pool, and nothing of the pool is left (G3).
 * Counted by the operating system.
 */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { describe, expect, test } from 'vitest'
import { nothingLeft, takeCensus } from '../support/census.ts'

const HOST = new URL('../fixtures/ending-host.ts', import.meta.url).pathname

interface End {
  readonly code: number | null
  readonly signal: string | null
  readonly said: string
}

async function endOf(root: string, way: string): Promise<End> {
  const host = spawn(process.execPath, [HOST, root, way], { stdio: ['ignore', 'pipe', 'ignore'] })
  let said = ''
  host.stdout.setEncoding('utf8').on('data', (text: string) => (said += text))
  const [code, signal] = await once(host, 'close')
  return { code, signal, said }
}

describe('a host that ends with its pool at work', () => {
  test.each<[string, string, Partial<End>]>([
    ['by a rejection that nobody handles', 'rejects', { code: 1, signal: null }],
    ['by an exit of its own', 'exits', { code: 7, signal: null }],
    ['by an abort, which no handler sees', 'aborts', { code: null, signal: 'SIGABRT' }],
  ])('%s keeps its own status', async (_, way, end) => {
    using census = takeCensus()
    expect(await endOf(census.root, way)).toMatchObject(end)
    await nothingLeft(census, { withinMs: 2_000 })
  })

  test('by an exception that nobody catches says so in its log', async () => {
    using census = takeCensus()
    const { code, said } = await endOf(census.root, 'throws')
    expect(code).toBe(1)
    expect(said).toContain('error: the host threw and nobody caught it')
    await nothingLeft(census, { withinMs: 2_000 })
  })

  test('that catches what it threw keeps its pool', async () => {
    using census = takeCensus()
    const { said, code } = await endOf(census.root, 'catches')
    expect(said).toContain('caught while running')
    expect(code).toBe(7)
    await nothingLeft(census, { withinMs: 2_000 })
  })

  test('that handles the signal itself does not die of it', async () => {
    using census = takeCensus()
    expect(await endOf(census.root, 'handles')).toMatchObject({ code: 7, signal: null })
    await nothingLeft(census, { withinMs: 2_000 })
  })
})

/** A namespace in which the host is the first process, as in a container without an init. */
const NAMESPACE = ['--pid', '--fork', '--mount-proc', '--kill-child']
const isAllowed = spawnSync('unshare', [...NAMESPACE, 'true']).status === 0
const reason = isAllowed ? '' : '(no pid namespace can be made here)'

describe('a host that is the first process of its container', () => {
  test.skipIf(!isAllowed)(`ends by a signal with the status of a shell ${reason}`, async () => {
    using census = takeCensus()
    const command = [...NAMESPACE, process.execPath, HOST, census.root, 'waits']
    const host = spawn('unshare', command, { stdio: ['ignore', 'pipe', 'inherit'] })
    const whenUp = new Promise<void>((resolve) => {
      host.stdout.setEncoding('utf8').on('data', (text: string) => {
        if (text.includes('up')) resolve()
      })
    })
    await whenUp
    const [first] = childrenOf(host.pid ?? 0)
    process.kill(first ?? 0, 'SIGTERM')
    const [code, signal] = await once(host, 'exit')
    expect({ code, signal }).toEqual({ code: 128 + 15, signal: null })
    await nothingLeft(census, { withinMs: 2_000 })
  })
})

function childrenOf(pid: number): number[] {
  const { stdout } = spawnSync('ps', ['-o', 'pid=', '--ppid', String(pid)], { encoding: 'utf8' })
  return stdout.split('\n').map(Number).filter(Boolean)
}
