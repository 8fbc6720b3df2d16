import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

const SOURCES = readdirSync('src', { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts') && !path.startsWith('gen') && !path.startsWith('sim'))
  .map((path) => readFileSync(join('src', path), 'utf8'))

/** The names of each interface in names.ts, with whether a doc comment stands above it. */
function namesOf(): { readonly kind: string; readonly name: string; readonly isDescribed: boolean }[] {
  let kind = ''
  const lines = readFileSync('src/observer/names.ts', 'utf8').split('\n')
  return lines.flatMap((line, i) => {
    kind = /^export interface (\w+)/.exec(line)?.[1] ?? kind
    const name = /^ {2}readonly (\w+):/.exec(line)?.[1]
    return name === undefined ? [] : [{ kind, name, isDescribed: (lines[i - 1] ?? '').endsWith('*/') }]
  })
}

test('every name that a node may report is described, and reported somewhere', () => {
  const reports: Readonly<Record<string, string>> = { Counters: 'count', Gauges: 'gauge', Durations: 'duration', Events: 'event' }
  const names = namesOf()
  assert.ok(names.length > 30, `${names.length} names`)
  for (const { kind, name, isDescribed } of names) {
    assert.ok(isDescribed, `${name} has no doc comment`)
    const report = new RegExp(`\\.${reports[kind]}\\([^)]*'${name}'`)
    assert.ok(
      SOURCES.some((source) => report.test(source)),
      `nobody reports ${name}`,
    )
  }
})
