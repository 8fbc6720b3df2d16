// Runs the node:test suites the same way on Node 20..26 and closes with "N passed, N failed[, N skipped]".
//
//   node scripts/test.mjs [FILE|FOLDER ...]
//
// A process for each file costs more than most files' tests do. Files that neither start processes nor have hooks of their own (at their top
// level those would be everybody's) share processes, five to each; all others have one to themselves.

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import process from 'node:process'
import { run } from 'node:test'
import { spec } from 'node:test/reporters'
import { pathToFileURL } from 'node:url'

const FILES_PER_PROCESS = 5
/** Waiting for elections and processes to start leaves the processors idle at times. */
const PROCESSES = 3
const NEEDS_A_PROCESS = [
  /^(before|after|beforeEach|afterEach)\(/m,
  /child_process|worker_threads|\/synod\.js'|\/nodes\.js'/,
  /process\.(env\[|exit|chdir|umask|on\()/,
]

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

const alone = []
const together = []
for (const file of files) {
  const text = readFileSync(file, 'utf8')
  if (NEEDS_A_PROCESS.some((pattern) => pattern.test(text))) alone.push(file)
  else together.push(file)
}
const folder = mkdtempSync(join(tmpdir(), 'synod-test-'))
const entries = [...alone]
for (let i = 0; i < together.length; i += FILES_PER_PROCESS) {
  const entry = join(folder, `${i}.mjs`)
  const imports = together.slice(i, i + FILES_PER_PROCESS).map((file) => `await import('${pathToFileURL(resolve(file)).href}')\n`)
  writeFileSync(entry, imports.join(''))
  entries.push(entry)
}

process.env.NODE_OPTIONS = [process.env.NODE_OPTIONS, '--import=tsx', '--enable-source-maps'].filter(Boolean).join(' ')
let passed = 0,
  failed = 0,
  skipped = 0
/** Files of which no test has been heard. */
const silent = new Set(files.filter((file) => /\b(test|it)\(/.test(readFileSync(file, 'utf8'))).map((file) => resolve(file)))
const stream = run({ files: entries, concurrency: PROCESSES, timeout: 600_000 })
stream.on('test:pass', (t) => {
  hear(t)
  if (t.details?.type === 'suite') return
  if (t.skip !== undefined || t.todo !== undefined) skipped++
  else if (!isFile(t)) passed++
})
stream.on('test:fail', (t) => {
  hear(t)
  if (t.details?.type === 'suite') return
  if (!isFile(t) || t.details?.error?.failureType !== 'subtestsFailed') failed++
})
function hear(t) {
  if (!isFile(t)) silent.delete(t.file)
}
function isFile(t) {
  return t.nesting === 0 && entries.some((f) => t.name === f || t.name.endsWith('/' + f))
}
stream.compose(new spec()).pipe(process.stdout)
stream.on('end', () =>
  setImmediate(() => {
    rmSync(folder, { recursive: true, force: true })
    for (const file of silent) console.log(`no test was run: ${file}`)
    failed += silent.size
    process.exitCode = failed ? 1 : 0
    setTimeout(() => console.log(`\n${passed} passed, ${failed} failed, ${skipped} skipped`), 50)
  }),
)
