/**
 * The command line switches every browser of ours gets, and why. A switch that only some pages need
 * is no business of this file: users add their own. It never looks at the machine.
 */

/** Bytes of disk a browser may fill with its HTTP cache (G7). */
const MAX_DISK_CACHE_BYTES = 32 * 1024 * 1024

/** What would otherwise talk to hosts that nobody asked it to talk to. */
const QUIET = [
  '--disable-background-networking',
  '--disable-breakpad',
  '--disable-client-side-phishing-detection',
  '--disable-component-update',
  '--disable-crash-reporter',
  '--disable-default-apps',
  '--disable-domain-reliability',
  '--disable-field-trial-config',
  '--disable-quic',
  '--disable-search-engine-choice-screen',
  '--disable-sync',
  '--metrics-recording-only',
  '--no-default-browser-check',
  '--no-first-run',
  '--no-pings',
  '--no-service-autorun',
]

const DISABLED_FEATURES = [
  'AcceptCHFrame',
  'AutofillServerCommunication',
  'CertificateTransparencyComponentUpdater',
  'DialMediaRouteProvider',
  'HttpsUpgrades',
  'InterestFeedContentSuggestions',
  'MediaRouter',
  'OptimizationHints',
  'Translate',
]

/**
 * A worker with its browser, idle and heavy: 187 and 277 MB without these, 118 and 251 MB with
 * them.
 */
const SMALL = [
  // The driver must not wait for an initial page: there is none.
  '--no-startup-window',
  // The driver adds --disable-software-rasterizer, unless the user wants WebGL.
  '--enable-features=NetworkServiceInProcess2',
  '--disable-extensions',
  '--disable-component-extensions-with-background-pages',
  `--disk-cache-size=${MAX_DISK_CACHE_BYTES}`,
  // /dev/shm has 64 MB in a container.
  '--disable-dev-shm-usage',
]

/**
 * Cookies are encrypted with a key that a cloned profile can be read with, and no keyring is asked
 * for one.
 */
const OWN_KEYS = ['--password-store=basic', '--use-mock-keychain']

/**
 * The switches for a launch.
 *
 * @param asRoot Chromium refuses to run its sandbox as root. Everybody else keeps the sandbox.
 */
export function browserFlags(asRoot: boolean): readonly string[] {
  return [
    ...QUIET,
    `--disable-features=${DISABLED_FEATURES.join(',')}`,
    ...SMALL,
    ...OWN_KEYS,
    ...(asRoot ? ['--no-sandbox'] : []),
  ]
}
