/**
 * Set up before every file that may start a browser: all of them run on the same kind, whichever others
 * the machine has. That is the headless shell that npm brings; TROUPE_TEST_BROWSER=debian takes Debian's
 * Chromium instead. A test about both names each by `installedPrograms`.
 */
import { installedPrograms } from './installed-browsers.ts'

const wanted = process.env['TROUPE_TEST_BROWSER'] ?? 'sparticuz'
const programs = await installedPrograms()
const [, program] = programs.find(([name]) => name === wanted) ?? programs[0] ?? []
if (program !== undefined) process.env['PUPPETEER_EXECUTABLE_PATH'] = program
