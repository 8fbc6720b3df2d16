// Runs the node:test suites the same way on Node 20..26 and closes with "N passed, N failed[, N skipped]".

import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { run } from 'node:test'
import { spec } from 'node:test/reporters'

const roots = process.argv.slice(2).filter((a) => !a.startsWith('-'))
const files = (roots.length ? roots : ['test'])
  .flatMap((r) =>
    /\.test\.ts$/.test(r)
      ? [r]
      : readdirSync(r, { recursive: true })
          .map((f) => join(r, String(f)))
          .filter((f) => /\.test\.ts$/.test(f)),
  )
  .toSorted()
if (files.length === 0) {
  console.error('no test files')
  process.exit(2)
}
process.env.NODE_OPTIONS = [process.env.NODE_OPTIONS, '--import=tsx', '--enable-source-maps'].filter(Boolean).join(' ')
let passed = 0,
  failed = 0,
  skipped = 0
const stream = run({ files, concurrency: 2, timeout: 240_000 })
stream.on('test:pass', (t) => {
  if (t.details?.type === 'suite') return
  if (t.skip !== undefined || t.todo !== undefined) skipped++
  else if (!isFile(t)) passed++
})
stream.on('test:fail', (t) => {
  if (t.details?.type === 'suite') return
  if (!isFile(t) || t.details?.error?.failureType !== 'subtestsFailed') failed++
})
const isFile = (t) => t.nesting === 0 && files.some((f) => t.name === f || t.name.endsWith('/' + f))
stream.compose(new spec()).pipe(process.stdout)
stream.on('end', () =>
  setImmediate(() => {
    process.exitCode = failed ? 1 : 0
    setTimeout(() => console.log(`\n${passed} passed, ${failed} failed, ${skipped} skipped`), 50)
  }),
)
