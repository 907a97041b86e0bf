/**
 * What the session machine knows and how it judges: its context, its events, its guards, updates
 * and delays. Apart from `session.ts` so that the machine itself reads as a picture.
 */
import { assign } from 'xstate'

/** The limits of a session. Plain data, fixed for its life. */
export interface SessionPolicy {
  /** Tabs in use at once. */
  readonly concurrency: number
  /** True when the task file brings a login hook. */
  readonly hasLogin: boolean
  /** Relaunches in a row that may be begun to make a session ready again. */
  readonly relaunchLimit: number
  /** Logins in a row that may fail. */
  readonly loginLimit: number
  readonly launchTimeoutMs: number
  readonly loginTimeoutMs: number
  /** All used tabs must be renewed within this, else the browser counts as hung. */
  readonly renewTimeoutMs: number
  readonly closeTimeoutMs: number
}

/** Why a session is over for good. */
export type SessionFailure =
  | 'launchFailed'
  | 'launchTimedOut'
  | 'relaunchesExhausted'
  | 'loginFailed'
  | 'loginTimedOut'

/** What the session says to its worker. */
export type SessionReport = 'ready' | 'lost' | 'failed' | 'closed'

/** Plain and bounded by the policy, so that every state of it can be visited. */
export interface SessionMachineContext {
  readonly policy: SessionPolicy
  /** Tabs held by attempts. */
  readonly working: number
  /** True while any used tab is being renewed. */
  readonly renewing: boolean
  /** Relaunches begun since the session was last ready. */
  readonly relaunches: number
  /** Logins failed since the last that succeeded. */
  readonly loginFailures: number
  /** True once this browser was reported ready. */
  readonly announced: boolean
  readonly failure: SessionFailure | null
  /** True when starting again would fail the same way. */
  readonly permanent: boolean
}

export type SessionMachineEvent =
  | { readonly type: 'open.ordered' }
  | { readonly type: 'close.ordered' }
  /** It runs and its first tab is open. */
  | { readonly type: 'browser.launched' }
  | { readonly type: 'browser.failed'; readonly permanent: boolean }
  | { readonly type: 'browser.disconnected' }
  /** It is there, but a tab can't be opened, used and closed any more. */
  | { readonly type: 'browser.hung' }
  | { readonly type: 'browser.closed' }
  | { readonly type: 'login.succeeded' }
  | { readonly type: 'login.failed' }
  /** A handler or the check hook has found that the login is gone. */
  | { readonly type: 'session.expired' }
  | { readonly type: 'tab.taken' }
  | { readonly type: 'tab.returned' }
  | { readonly type: 'tabs.renewed' }

type Args = { context: SessionMachineContext; event: SessionMachineEvent }
const saysPermanent = (event: SessionMachineEvent) =>
  event.type === 'browser.failed' && event.permanent
const mayRelaunch = ({ context }: Args) => context.relaunches < context.policy.relaunchLimit

export const sessionGuards = {
  hasLogin: ({ context }: Args) => context.policy.hasLogin,
  isTabFree: ({ context }: Args) => context.working < context.policy.concurrency,
  areOthersWorking: ({ context }: Args) => context.working > 1,
  isAnnouncedAndRenewing: ({ context }: Args) => context.announced && context.renewing,
  isAnnounced: ({ context }: Args) => context.announced,
  mayRelaunch,
  mayLaunchAgain: (args: Args) => !saysPermanent(args.event) && mayRelaunch(args),
  /** The failure at hand is counted only after this has judged. */
  mayLoginAgain: ({ context }: Args) => context.loginFailures + 1 < context.policy.loginLimit,
}

const change = (update: (args: Args) => Partial<SessionMachineContext>) =>
  assign<SessionMachineContext, SessionMachineEvent, undefined, SessionMachineEvent, never>(update)
const failing = (failure: SessionFailure) =>
  change(({ event }) => ({ failure, permanent: saysPermanent(event) }))

export const sessionUpdates = {
  noteOpened: change(() => ({
    relaunches: 0,
    loginFailures: 0,
    announced: false,
    failure: null,
    permanent: false,
  })),
  noteReady: change(() => ({ announced: true, relaunches: 0, loginFailures: 0 })),
  noteLoginFailed: change(({ context }) => ({ loginFailures: context.loginFailures + 1 })),
  noteLoggedIn: change(() => ({ loginFailures: 0 })),
  noteTabTaken: change(({ context }) => ({ working: context.working + 1 })),
  noteTabReturned: change(({ context }) => ({ working: context.working - 1, renewing: true })),
  noteTabsRenewed: change(() => ({ renewing: false })),
  noteLost: change(() => ({ working: 0, renewing: false, announced: false, loginFailures: 0 })),
  noteRelaunch: change(({ context }) => ({ relaunches: context.relaunches + 1 })),
  noteLaunchFailed: failing('launchFailed'),
  noteLaunchTimedOut: failing('launchTimedOut'),
  noteRelaunchesExhausted: failing('relaunchesExhausted'),
  noteLoginGivenUp: failing('loginFailed'),
  noteLoginTimedOut: failing('loginTimedOut'),
}

export const sessionDelays = {
  launchTimeout: ({ context }: Args) => context.policy.launchTimeoutMs,
  loginTimeout: ({ context }: Args) => context.policy.loginTimeoutMs,
  renewTimeout: ({ context }: Args) => context.policy.renewTimeoutMs,
  closeTimeout: ({ context }: Args) => context.policy.closeTimeoutMs,
}
