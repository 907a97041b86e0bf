/** G8. The report on coverage: it counts by layer, and names what no real run takes. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { machines } from '../../machines/index.ts'
import { workingTransitions } from '../../src/testing/conformance/transitions.ts'
import { COVERAGE_VARIABLE, layerOf, noteCoverage, readCoverage } from '../support/coverage.ts'

let folder = ''
const before = process.env[COVERAGE_VARIABLE]
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'coverage-'))
  process.env[COVERAGE_VARIABLE] = folder
})
afterEach(() => {
  rmSync(folder, { recursive: true, force: true })
  if (before === undefined) delete process.env[COVERAGE_VARIABLE]
  else process.env[COVERAGE_VARIABLE] = before
})

test('counts transitions by layer, and names those that no real run takes', () => {
  const ids = workingTransitions(machines.shutdown)
  const [first = '', second = ''] = ids
  noteCoverage('machines', new Map([['shutdown', new Set(ids)]]))
  noteCoverage('process', new Map([['shutdown', new Set([first])]]))
  noteCoverage('process', new Map([['shutdown', new Set([first, second, 'no such transition'])]]))
  const shutdown = readCoverage(folder).find(({ machine }) => machine === 'shutdown')
  expect(shutdown).toMatchObject({
    transitions: ids.length,
    byLayer: { machines: ids.length, process: 2 },
  })
  expect(shutdown?.notReal).toHaveLength(ids.length - 2)
  expect(shutdown?.notReal[0]).toEqual({ id: ids[2], layers: ['machines'] })
})

test('counts neither ignores nor the last resort', () => {
  const ids = workingTransitions(machines.shutdown)
  expect(ids).not.toContain('shutdown · * · 0')
  expect(ids).not.toContain('shutdown.armed · shutdown.force · 0')
  expect(ids).toContain('shutdown.draining · shutdown.force · 0')
})

test('knows the layer of a test by its folder', () => {
  expect(layerOf('/home/me/troupe/test/chaos/chaos.test.ts')).toBe('chaos')
  expect(() => layerOf('/home/me/troupe/test/other.test.ts')).toThrow('belongs to no layer')
})
