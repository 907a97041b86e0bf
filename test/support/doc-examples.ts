/** The examples of a document: code blocks whose first line names their file. */
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'

const root = resolve(import.meta.dirname, '../..')
const BLOCK = /```ts\n\/\/ ([a-z-]+(?:\.test)?\.ts)\n([\s\S]*?)```/g

export async function examplesOf(document: string): Promise<ReadonlyMap<string, string>> {
  const text = await readFile(join(root, 'docs', document), 'utf8')
  return new Map([...text.matchAll(BLOCK)].map(([, name = '', code = '']) => [name, code]))
}

export async function writeExamples(
  folder: string,
  examples: ReadonlyMap<string, string>,
): Promise<void> {
  for (const [name, code] of examples) await writeFile(join(folder, name), code)
}

/** Makes the folder a project in which `troupe` is this one, from its sources, beside other packages. */
export async function projectIn(folder: string, packages: readonly string[] = []): Promise<void> {
  const own = join(folder, 'node_modules', 'troupe')
  await mkdir(own, { recursive: true })
  for (const name of ['src', 'machines']) await symlink(join(root, name), join(own, name))
  for (const name of packages) {
    await symlink(join(root, 'node_modules', name), join(folder, 'node_modules', name))
  }
  const exports = {
    '.': { 'troupe-child': './src/tasks.ts', default: './src/index.ts' },
    './testing': './src/testing/index.ts',
  }
  await writeFile(
    join(own, 'package.json'),
    JSON.stringify({ name: 'troupe', type: 'module', exports }),
  )
  await writeFile(join(folder, 'package.json'), '{ "name": "mine", "type": "module" }\n')
}
