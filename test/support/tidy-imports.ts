/** Who may import whom. Lower layers know nothing of higher ones; design.md draws them. */
import { posix } from 'node:path'
import {
  isBelow,
  isSource,
  noMatch,
  type Rule,
  type SourceFile,
  withoutComments,
} from './tidy-files.ts'

interface Import {
  readonly specifier: string
  /** Erased before the file runs. */
  readonly isTypeOnly: boolean
}

/** Layers from the bottom: each may import its own and those before it. */
const LAYERS: readonly (readonly RegExp[])[] = [
  [/^machines\//],
  [/^src\/common\//],
  [/^src\/values\//],
  [/^src\/api\//],
  [/^src\/statechart\//],
  [/^src\/config\//],
  [/^src\/(task|task-types)\//],
  [/^src\/tasks\.ts$/],
  [/^src\/(ledger|process|browser|sandbox|profile|monitor|inspect)\//],
  [/^src\/(child|pool)\//],
  [/^src\/index\.ts$/],
  [/^src\/(server|cli|bullmq|testing)\//],
]
/** Of one layer, and apart all the same. */
const APART = ['src/child/', 'src/pool/']
/** Forked or run by path, never imported from outside. */
const CLOSED = ['src/cli', 'src/child']
/** Who hears them, and who says them where XState does not. */
const INSPECTORS = ['src/inspect/actor-watch.ts', 'src/statechart/macrostep.ts']
const BROWSER_PACKAGE = /^puppeteer(-core)?(\/|$)/

/** Machines import XState and each other. */
export const machineImports: Rule = (file) => {
  if (!isBelow(file, 'machines')) return []
  const isAllowed = (specifier: string) =>
    specifier === 'xstate' || /^\.\/[a-z.-]+\.ts$/.test(specifier)
  return importsOf(file)
    .filter(({ specifier }) => !isAllowed(specifier))
    .map(({ specifier }) => `${file.path} imports ${specifier}`)
}

/**
 * machines ← common ← values ← api ← statechart ← config ← {task, task-types} ← {ledger, process, browser,
 * sandbox, profile, monitor, inspect} ← child | pool ← {server, cli, bullmq, testing}
 */
export const layeredImports: Rule = (file) => {
  const own = layerOf(file.path)
  if (own < 0) return []
  return localImports(file)
    .filter((target) => layerOf(target) > own || isApart(file.path, target))
    .map((target) => `${file.path} imports ${target} of a higher layer`)
}

/** src/cli and src/child are entered by path. */
export const closedFolders: Rule = (file) => {
  if (!isBelow(file, 'src', 'machines', 'visualizations')) return []
  return localImports(file).flatMap((target) => {
    const folder = CLOSED.find((closed) => target.startsWith(`${closed}/`))
    // A simulation runs the child's code where no process is.
    if (folder === 'src/child' && isBelow(file, 'src/testing')) return []
    return folder && !isBelow(file, folder) ? [`${file.path} imports ${target}`] : []
  })
}

/** Only a child process loads the browser driver. */
export const browserOnlyInChild: Rule = (file) => {
  if (!isBelow(file, 'src', 'machines', 'visualizations') || isBelow(file, 'src/child')) return []
  return importsOf(file)
    .filter(({ specifier, isTypeOnly }) => !isTypeOnly && BROWSER_PACKAGE.test(specifier))
    .map(({ specifier }) => `${file.path} loads ${specifier}`)
}

/** XState is used by its public entries. */
export const publicXState: Rule = (file) =>
  importsOf(file)
    .filter(({ specifier }) => /^xstate\/(dist|src)/.test(specifier))
    .map(({ specifier }) => `${file.path} imports ${specifier}`)

/** The shape of XState's inspection events is known where it must be. */
export const oneInspector: Rule = (file) => {
  if (!isBelow(file, 'src') || INSPECTORS.includes(file.path)) return []
  return noMatch(
    /@xstate\.|\bInspect(ion|ed)[A-Z]\w*Event\b|\bInspectionEvent\b/,
    withoutComments,
  )(file)
}

function isApart(path: string, target: string): boolean {
  const own = APART.find((folder) => path.startsWith(folder))
  return own !== undefined && APART.some((one) => one !== own && target.startsWith(one))
}

function layerOf(path: string): number {
  return LAYERS.findIndex((patterns) => patterns.some((pattern) => pattern.test(path)))
}

function localImports(file: SourceFile): string[] {
  return importsOf(file)
    .filter(({ specifier }) => specifier.startsWith('.'))
    .map(({ specifier }) => posix.join(posix.dirname(file.path), specifier))
}

function importsOf(file: SourceFile): Import[] {
  if (!isSource(file)) return []
  const code = withoutComments(file)
  const declared = /^(?:import|export)\s+(type\s+)?(?:[^'";]*?\sfrom\s+)?['"]([^'"]+)['"]/gm
  const loaded = /\b(?:import|require|import\.meta\.resolve)\(\s*['"]([^'"]+)['"]/g
  return [
    ...[...code.matchAll(declared)].map(([, type, specifier = '']) => ({
      specifier,
      isTypeOnly: type !== undefined,
    })),
    ...[...code.matchAll(loaded)].map(([, specifier = '']) => ({ specifier, isTypeOnly: false })),
  ]
}
