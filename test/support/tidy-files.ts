/** The files of the project as tidy rules see them: a path from the top and a text. */
import { readdir, readFile } from 'node:fs/promises'
import { extname, join } from 'node:path'

export interface SourceFile {
  /** From the top of the project, with `/`. */
  readonly path: string
  readonly text: string
}

/** A rule names what is wrong in one file, with the line where there is one. */
export type Rule = (file: SourceFile) => string[]

const SKIPPED = new Set(['node_modules', 'dist', 'out', '.git'])
const TEXTS = new Set([
  '.ts',
  '.tsx',
  '.js',
  '.mjs',
  '.json',
  '.md',
  '.yml',
  '.css',
  '.html',
  '.svg',
  '.csv',
  '',
])

/** Every text file below a folder. */
export async function filesBelow(root: string): Promise<SourceFile[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true })
  const paths = entries
    .filter((entry) => entry.isFile() && TEXTS.has(extname(entry.name)))
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))
    .filter((path) => !path.split('/').some((part) => SKIPPED.has(part)))
  return Promise.all(
    paths
      .toSorted()
      .map(async (path) => ({ path, text: await readFile(join(root, path), 'utf8') })),
  )
}

export function isSource({ path }: SourceFile): boolean {
  return /\.tsx?$/.test(path)
}

export function isBelow(file: SourceFile, ...folders: readonly string[]): boolean {
  return folders.some((folder) => file.path.startsWith(`${folder}/`))
}

/** A rule that finds a pattern line by line. */
export function noMatch(
  pattern: RegExp,
  of: (file: SourceFile) => string = ({ text }) => text,
): Rule {
  return (file) =>
    of(file)
      .split('\n')
      .flatMap((line, at) => (pattern.test(line) ? [`${file.path}:${at + 1}: ${line.trim()}`] : []))
}

/** The text with its comments blanked. Strings stay, and a string that looks like a comment is left alone. */
export function withoutComments({ text }: SourceFile): string {
  const token =
    /\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`/g
  return text.replace(token, (found) =>
    found.startsWith('/*') || found.startsWith('//') ? found.replace(/[^\n]/g, ' ') : found,
  )
}
