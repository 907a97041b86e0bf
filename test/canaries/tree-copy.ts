/** A copy of the project to be spoilt: its sources and tests, with the same packages. It never touches the project. */
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { PlantedBug } from './planted-bugs.ts'

const COPIED = [
  'machines',
  'src',
  'test',
  'docs',
  'visualizations',
  'package.json',
  'tsconfig.json',
  'vitest.config.ts',
]

export interface TreeCopy extends AsyncDisposable {
  readonly folder: string
  /** Plants the bug; the function returned takes it out again. @throws Error when its text is not there. */
  plant(bug: PlantedBug): Promise<() => Promise<void>>
}

export async function copyTree(root: string): Promise<TreeCopy> {
  const folder = await mkdtemp(join(tmpdir(), 'troupe-canaries-'))
  for (const name of COPIED) await cp(join(root, name), join(folder, name), { recursive: true })
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'))
  return {
    folder,
    plant: async (bug) => {
      const path = join(folder, bug.file)
      const before = await readFile(path, 'utf8')
      await writeFile(path, planted(before, bug))
      return () => writeFile(path, before)
    },
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  }
}

/** The text with the bug in it. @throws Error when its place is not there, or not the only one. */
export function planted(text: string, { bug, file, text: place, instead }: PlantedBug): string {
  const times = text.split(place).length - 1
  if (times !== 1) {
    throw new Error(`"${bug}" cannot be planted: its text is found ${times} times in ${file}`)
  }
  return text.replace(place, () => instead)
}
