/** docs/guarantees.md and the tests that hold what it promises: each guarantee names them, and they name it. */
import type { SourceFile } from './tidy-files.ts'

export const GUARANTEES = ['G1', 'G2', 'G3', 'G4', 'G5', 'G6', 'G7', 'G8'] as const

interface Guarantee {
  readonly id: string
  readonly tests: readonly string[]
}

/** Headings `## G1 …`, each with a line `Tests:` that holds paths in backticks. */
function guaranteesOf(text: string): Guarantee[] {
  return text.split(/^(?=## )/m).flatMap((section) => {
    const id = /^## (G\d+)\b/.exec(section)?.[1]
    if (id === undefined) return []
    const line = section.split('\n').find((one) => one.startsWith('Tests:')) ?? ''
    return [{ id, tests: [...line.matchAll(/`([^`]+)`/g)].map(([, path = '']) => path) }]
  })
}

/** What is wrong between the promises and the tests. */
export function brokenPromises(text: string, files: readonly SourceFile[]): string[] {
  const guarantees = guaranteesOf(text)
  const missing = GUARANTEES.filter((id) => !guarantees.some((one) => one.id === id))
  const texts = new Map(files.map((file) => [file.path, file.text]))
  return [
    ...missing.map((id) => `${id} is not in docs/guarantees.md`),
    ...guarantees.flatMap(({ id, tests }) => {
      const absent = tests.filter((path) => !texts.has(path)).map((path) => `${id}: no ${path}`)
      const isNamed = tests.some((path) => new RegExp(`\\b${id}\\b`).test(texts.get(path) ?? ''))
      if (tests.length === 0) return [`${id} has no tests`]
      return isNamed ? absent : [...absent, `${id} is named by none of its tests`]
    }),
  ]
}
