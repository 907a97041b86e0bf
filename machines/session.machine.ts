/**
 * The session: one browser inside a worker process, from its launch to its end. It says what may
 * happen and in which order; `src/child/session/session-host.ts` does the actions. It never talks to a
 * browser, a clock or the pool.
 */
import { setup } from 'xstate'
import { port } from './port.ts'
import {
  sessionDelays,
  sessionGuards,
  type SessionMachineContext,
  type SessionMachineEvent,
  type SessionPolicy,
  type SessionReport,
  sessionUpdates,
} from './session.setup.ts'
import { ignore } from './protocol.ts'

export type {
  SessionFailure,
  SessionMachineContext,
  SessionMachineEvent,
  SessionPolicy,
  SessionReport,
} from './session.setup.ts'

const report = (name: SessionReport) =>
  ({ type: 'session.report', params: { report: name } }) as const

/** The browser has a first tab: log in where that is asked for, else be ready. */
const launched = [
  { guard: 'hasLogin', target: 'authenticating' },
  { target: 'ready', actions: ['noteReady', 'tabs.warm', report('ready')] },
] as const
/** The browser is gone from a state in which it was of use. */
const lost = [
  { guard: 'mayRelaunch', target: 'relaunching', actions: ['noteLost', report('lost')] },
  { target: 'failed', actions: [report('lost'), 'noteRelaunchesExhausted'] },
] as const
/** It is there but answers no more: what is left of it is killed first. */
const hung = [
  {
    guard: 'mayRelaunch',
    target: 'relaunching',
    actions: ['browser.kill', 'noteLost', report('lost')],
  },
  { target: 'failed', actions: [report('lost'), 'noteRelaunchesExhausted'] },
] as const
/** Without a login hook there is nothing to do about it. */
const expired = [{ guard: 'hasLogin', target: 'authenticating' }, {}] as const
const unexpected = { actions: 'event.unexpected' } as const
const closed = { target: 'closed', actions: report('closed') } as const
const alive = {
  'browser.disconnected': lost,
  'browser.hung': hung,
  'close.ordered': { target: 'closing' },
  ...ignore('open.ordered', 'browser.launched', 'browser.failed', 'browser.closed'),
} as const
const loginsIgnored = ignore('login.succeeded', 'login.failed')
const tabsIgnored = ignore('tab.returned', 'tabs.renewed')

/**
 * The session machine.
 *
 * @example
 * const actor = createActor(sessionMachine.provide({ actions: ports }), { input: { policy } })
 */
export const sessionMachine = setup({
  types: {
    context: {} as SessionMachineContext,
    events: {} as SessionMachineEvent,
    input: {} as { policy: SessionPolicy },
    /** `serving`: a waiting attempt may take a warm tab, if a place is free. */
    tags: {} as 'serving',
  },
  guards: sessionGuards,
  delays: sessionDelays,
  actions: {
    ...sessionUpdates,
    'browser.launch': port('browser.launch'),
    'browser.close': port('browser.close'),
    'browser.kill': port('browser.kill'),
    'session.login': port('session.login'),
    /** Opens tabs until the set is complete. */
    'tabs.warm': port('tabs.warm'),
    /** Forgets every tab; attempts that hold one have lost their browser. */
    'tabs.drop': port('tabs.drop'),
    'session.report': port<{ report: SessionReport }>('session.report'),
    'event.unexpected': port('event.unexpected'),
  },
}).createMachine({
  id: 'session',
  description: 'One browser with its profile and tabs, inside a worker process.',
  context: ({ input }) => ({
    policy: input.policy,
    working: 0,
    renewing: false,
    relaunches: 0,
    loginFailures: 0,
    announced: false,
    failure: null,
    permanent: false,
  }),
  initial: 'closed',
  on: { '*': unexpected },
  states: {
    closed: {
      description: 'No browser: not opened yet, or closed for good.',
      on: {
        'open.ordered': { target: 'launching', actions: 'noteOpened' },
        'close.ordered': { actions: report('closed') },
        'tab.taken': unexpected,
        ...ignore('browser.launched', 'browser.failed', 'browser.disconnected', 'browser.hung'),
        ...ignore('browser.closed', 'session.expired'),
        ...loginsIgnored,
        ...tabsIgnored,
      },
    },
    launching: {
      description: 'The first browser is starting.',
      entry: 'browser.launch',
      after: { launchTimeout: { target: 'failed', actions: 'noteLaunchTimedOut' } },
      on: {
        'browser.launched': launched,
        'browser.failed': { target: 'failed', actions: 'noteLaunchFailed' },
        'close.ordered': { target: 'closing' },
        'tab.taken': unexpected,
        ...ignore('open.ordered', 'browser.disconnected', 'browser.hung', 'browser.closed'),
        ...ignore('session.expired'),
        ...loginsIgnored,
        ...tabsIgnored,
      },
    },
    authenticating: {
      description: 'The login hook runs, alone; attempts wait for their tab.',
      entry: 'session.login',
      after: { loginTimeout: { target: 'failed', actions: 'noteLoginTimedOut' } },
      on: {
        'login.succeeded': [
          { guard: 'isAnnouncedAndRenewing', target: 'resetting', actions: 'noteLoggedIn' },
          { guard: 'isAnnounced', target: 'ready', actions: 'noteLoggedIn' },
          { target: 'ready', actions: ['noteReady', 'tabs.warm', report('ready')] },
        ],
        'login.failed': [
          {
            guard: 'mayLoginAgain',
            target: 'authenticating',
            reenter: true,
            actions: 'noteLoginFailed',
          },
          { target: 'failed', actions: 'noteLoginGivenUp' },
        ],
        'tabs.renewed': { actions: 'noteTabsRenewed' },
        'tab.taken': unexpected,
        ...ignore('session.expired', 'tab.returned'),
        ...alive,
      },
    },
    ready: {
      description: 'Warm tabs wait for attempts.',
      tags: 'serving',
      on: {
        'tab.taken': { target: 'working', actions: 'noteTabTaken' },
        'session.expired': expired,
        ...loginsIgnored,
        ...tabsIgnored,
        ...alive,
      },
    },
    working: {
      description: 'At least one attempt holds a tab.',
      tags: 'serving',
      on: {
        'tab.taken': [{ guard: 'isTabFree', actions: 'noteTabTaken' }, unexpected],
        'tab.returned': [
          { guard: 'areOthersWorking', actions: 'noteTabReturned' },
          { target: 'resetting', actions: 'noteTabReturned' },
        ],
        'tabs.renewed': { actions: 'noteTabsRenewed' },
        'session.expired': [{ guard: 'hasLogin', target: 'draining' }, {}],
        ...loginsIgnored,
        ...alive,
      },
    },
    draining: {
      description: 'The login is gone: attempts under way end, no other begins.',
      on: {
        'tab.returned': [
          { guard: 'areOthersWorking', actions: 'noteTabReturned' },
          { target: 'authenticating', actions: 'noteTabReturned' },
        ],
        'tabs.renewed': { actions: 'noteTabsRenewed' },
        'tab.taken': unexpected,
        ...ignore('session.expired'),
        ...loginsIgnored,
        ...alive,
      },
    },
    resetting: {
      description: 'No attempt holds a tab; used ones are being renewed.',
      tags: 'serving',
      after: { renewTimeout: hung },
      on: {
        'tab.taken': { target: 'working', actions: 'noteTabTaken' },
        'tabs.renewed': { target: 'ready', actions: 'noteTabsRenewed' },
        'session.expired': expired,
        ...ignore('tab.returned'),
        ...loginsIgnored,
        ...alive,
      },
    },
    relaunching: {
      description: 'The browser is gone; another starts in the same worker.',
      entry: ['noteRelaunch', 'tabs.drop', 'browser.launch'],
      after: {
        launchTimeout: [
          {
            guard: 'mayRelaunch',
            target: 'relaunching',
            reenter: true,
            actions: 'browser.kill',
          },
          { target: 'failed', actions: 'noteRelaunchesExhausted' },
        ],
      },
      on: {
        'browser.launched': launched,
        'browser.failed': [
          { guard: 'mayLaunchAgain', target: 'relaunching', reenter: true },
          { target: 'failed', actions: 'noteRelaunchesExhausted' },
        ],
        'close.ordered': { target: 'closing' },
        'tab.taken': unexpected,
        ...ignore('open.ordered', 'browser.disconnected', 'browser.hung', 'browser.closed'),
        ...ignore('session.expired'),
        ...loginsIgnored,
        ...tabsIgnored,
      },
    },
    closing: {
      description: 'The browser was asked to close; past its limit it is killed.',
      entry: ['noteLost', 'browser.close'],
      after: { closeTimeout: { target: 'closed', actions: ['browser.kill', report('closed')] } },
      on: {
        'browser.closed': closed,
        'browser.disconnected': closed,
        'tab.taken': unexpected,
        ...ignore('open.ordered', 'close.ordered', 'browser.launched', 'browser.failed'),
        ...ignore('browser.hung', 'session.expired'),
        ...loginsIgnored,
        ...tabsIgnored,
      },
    },
    failed: {
      description: 'No browser is to be had: the worker must be started anew.',
      entry: ['noteLost', 'browser.kill', 'tabs.drop', report('failed')],
      on: {
        'close.ordered': closed,
        'tab.taken': unexpected,
        ...ignore('open.ordered', 'browser.launched', 'browser.failed', 'browser.disconnected'),
        ...ignore('browser.hung', 'browser.closed', 'session.expired'),
        ...loginsIgnored,
        ...tabsIgnored,
      },
    },
  },
})
