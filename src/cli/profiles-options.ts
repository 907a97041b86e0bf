/** How `troupe profiles` is said on the command line. What it does is loaded only when it is said. */
import { type Command, InvalidArgumentError } from 'commander'
import type { ProfileCommand } from './profiles.ts'

const HELP = `
seal keeps the hash of every file that counts; seal again after every intended change. check tells
what was changed, lost, added or damaged since, and whether a browser uses the profile. list shows
the profiles of running and dead pools, or the base profiles in a folder; clean removes what dead
pools left, quarantined copies and old leftovers.

list and clean look where pools make their run folders unless a folder is named. Base profiles are
never removed.

Exit codes: 0 fine, 1 a problem was found, 2 usage.

Example:
  troupe profiles seal ./portal-login --json`

const ABOUT: Readonly<Record<ProfileCommand, string>> = {
  seal: 'remember what a closed profile holds',
  check: 'tell whether a profile is whole and free',
  list: 'show profiles of pools, or the bases in a folder',
  clean: 'remove what no pool uses any more',
}

/** Adds the command. `onEnd` is told the exit code. */
export function addProfilesCommand(root: Command, onEnd: (exitCode: number) => void): void {
  const profiles = root.command('profiles').description('seal, check, list and clean profiles')
  profiles.addHelpText('after', HELP)
  for (const command of Object.keys(ABOUT) as ProfileCommand[]) {
    const isOfOne = command === 'seal' || command === 'check'
    profiles
      .command(command)
      .description(ABOUT[command])
      .argument(isOfOne ? '<profile>' : '[folder]', 'a folder', nonEmpty)
      .option('--json', 'one line of JSON on stdout')
      .showHelpAfterError(`(troupe profiles ${command} --help shows all options)`)
      .action(async (folder: string | undefined, flags: { json?: boolean }) => {
        const { profilesCommand } = await import('./profiles.ts')
        onEnd(await profilesCommand(command, folder ?? null, flags))
      })
  }
}

function nonEmpty(text: string): string {
  if (text !== '') return text
  throw new InvalidArgumentError('It is empty.')
}
