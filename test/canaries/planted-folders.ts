/** Bugs in what becomes of folders that are taken away. As in `planted-bugs.ts`. */
import type { PlantedBug } from './planted-bugs.ts'

const folders = (layer: 'process' | 'simulation', bug: string, file: string, named: string) =>
  ({ bug, layer, test: `test/${layer}/folder-gone.test.ts`, file, named }) as const

export const folderBugs: readonly PlantedBug[] = [
  {
    ...folders(
      'simulation',
      'a run folder that is gone stays gone',
      'src/pool/host/run-care.ts',
      'there again',
    ),
    text: 'const parts = run.folder.renew()',
    instead: 'const parts: string[] = []',
  },
  {
    ...folders(
      'simulation',
      'a browser whose profile is gone is kept',
      'src/pool/host/run-care.ts',
      'costs each browser',
    ),
    text: '    this.#ports.retire(id)\n',
    instead: '',
  },
  {
    ...folders(
      'process',
      'a part of the run folder that is gone stays gone',
      'src/process/run-folder.ts',
      'is whole again',
    ),
    text: "['', ...SUBFOLDERS].filter",
    instead: "[''].filter",
  },
  {
    ...folders(
      'process',
      'a living pool whose socket is gone is swept',
      'src/process/run-folder.ts',
      'without its socket',
    ),
    text: '    void socket.listenAgain(path)\n',
    instead: '',
  },
  {
    ...folders(
      'process',
      'a copy of a base whose seal is gone is trusted',
      'src/profile/base-copies.ts',
      'and its seal with them',
    ),
    text: 'if (ok && sealed) return copy',
    instead: 'if (ok || sealed) return copy',
  },
  {
    ...folders(
      'process',
      'a profile made ahead of which a file is gone is used',
      'src/profile/spares.ts',
      'made ahead has lost',
    ),
    text: 'if (await isWhole(spare)) {',
    instead: 'if (await isWhole(spare).then(() => true)) {',
  },
]
