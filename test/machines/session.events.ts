/** Every event a session may meet. The world keeps which browser is there, whatever the machine believes. */
import type { EventObject } from 'xstate'
import type {
  SessionMachineContext,
  SessionMachineEvent,
  SessionPolicy,
} from '../../machines/session.setup.ts'
import type { Command, ExplorePlan, Situation, Step } from '../support/explore.ts'

interface World {
  /** A browser that was asked for and has not been killed, closed or lost. */
  readonly browser: 'none' | 'asked' | 'there'
  readonly isClosing: boolean
  readonly isLoggingIn: boolean
  /** What the worker was told last. */
  readonly reported: 'nothing' | 'ready' | 'lost' | 'failed' | 'closed'
}

export const sessionEvents: {
  readonly [T in SessionMachineEvent['type']]: readonly SessionMachineEvent[]
} = {
  'open.ordered': [{ type: 'open.ordered' }],
  'close.ordered': [{ type: 'close.ordered' }],
  'browser.launched': [{ type: 'browser.launched' }],
  'browser.failed': [
    { type: 'browser.failed', permanent: false },
    { type: 'browser.failed', permanent: true },
  ],
  'browser.disconnected': [{ type: 'browser.disconnected' }],
  'browser.hung': [{ type: 'browser.hung' }],
  'browser.closed': [{ type: 'browser.closed' }],
  'login.succeeded': [{ type: 'login.succeeded' }],
  'login.failed': [{ type: 'login.failed' }],
  'session.expired': [{ type: 'session.expired' }],
  'tab.taken': [{ type: 'tab.taken' }],
  'tab.returned': [{ type: 'tab.returned' }],
  'tabs.renewed': [{ type: 'tabs.renewed' }],
}

/** What the browser and the hooks can say as the world stands. The rest must be handled, but never happens. */
function isReal({ snapshot, world }: Situation<World>, event: EventObject): boolean {
  const { working, policy, renewing } = snapshot.context as SessionMachineContext
  switch ((event as SessionMachineEvent).type) {
    case 'browser.launched':
    case 'browser.failed':
      return world.browser === 'asked'
    case 'browser.disconnected':
    case 'browser.hung':
      return world.browser === 'there'
    case 'browser.closed':
      return world.isClosing
    case 'login.succeeded':
    case 'login.failed':
      return world.isLoggingIn
    case 'tab.taken':
      return snapshot.hasTag('serving') && working < policy.concurrency
    case 'tab.returned':
      return working > 0
    case 'tabs.renewed':
      return renewing
    default:
      return true
  }
}

const GONE = { browser: 'none', isClosing: false, isLoggingIn: false } as const

function after({ from, event, commands }: Step<World>): World {
  let { world } = from
  if (event?.type === 'browser.launched') world = { ...world, browser: 'there' }
  if (event?.type === 'browser.failed') world = { ...world, browser: 'none' }
  if (event?.type === 'browser.disconnected') world = { ...world, ...GONE }
  if (event?.type === 'browser.closed') world = { ...world, ...GONE }
  if (event?.type.startsWith('login.')) world = { ...world, isLoggingIn: false }
  return commands.reduce(obey, world)
}

function obey(world: World, { type, params }: Command): World {
  switch (type) {
    case 'browser.launch':
      if (world.browser !== 'none') throw new Error('a browser is launched beside another')
      return { ...world, browser: 'asked' }
    case 'browser.kill':
      return { ...world, ...GONE }
    case 'browser.close':
      return { ...world, isClosing: true }
    case 'session.login':
      if (world.browser !== 'there') throw new Error('a login without a browser')
      if (world.isLoggingIn) throw new Error('two logins at a time')
      return { ...world, isLoggingIn: true }
    case 'session.report':
      return hear(world, (params as { report: World['reported'] }).report)
    default:
      return world
  }
}

function hear(world: World, reported: World['reported']): World {
  if (reported === 'ready' && world.browser !== 'there') throw new Error('ready without a browser')
  if (reported === 'ready' && world.reported === 'ready') throw new Error('ready twice')
  return { ...world, reported }
}

function check({ snapshot, world }: Situation<World>) {
  const { working, policy } = snapshot.context as SessionMachineContext
  if (working < 0 || working > policy.concurrency) throw new Error(`${working} tabs are held`)
  const isOver = snapshot.value === 'failed' || snapshot.value === 'closed'
  if (isOver && world.browser !== 'none') throw new Error(`${snapshot.value} with a browser left`)
  if (snapshot.hasTag('serving') && world.reported !== 'ready') {
    throw new Error('serves though the worker was not told')
  }
}

const policy: SessionPolicy = {
  concurrency: 2,
  hasLogin: false,
  relaunchLimit: 2,
  loginLimit: 2,
  launchTimeoutMs: 1,
  loginTimeoutMs: 1,
  renewTimeoutMs: 1,
  closeTimeoutMs: 1,
}

export const sessionPlan: ExplorePlan<World> = {
  inputs: [
    { policy },
    { policy: { ...policy, hasLogin: true } },
    { policy: { ...policy, hasLogin: true, relaunchLimit: 0 } },
  ],
  world: { ...GONE, reported: 'nothing' },
  events: () => Object.values(sessionEvents).flat(),
  isReal,
  after,
  check,
  maxStates: 500,
}
