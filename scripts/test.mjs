// Runs the node:test suites the same way on Node 20..26 and closes with "N passed, N failed[, N skipped]".
//
//   node scripts/test.mjs [FILE|FOLDER ...]
//
// All TypeScript is compiled once, into a temporary folder, and run from there: a loader would cost every process that a test starts half
// a second of a processor, and what it adds to functions makes the simulator a third slower. The programs that tests start (files of src
// and test that export nothing: the CLI above all) are bundled there: some 150 processes start, and loading 300 modules each was most of
// what they did.
//
// A process for each file costs more than most files' tests do. Files that neither start processes nor have hooks of their own (at their top
// level those would be everybody's) share processes, five to each; all others have one to themselves.

import { mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative, resolve } from 'node:path'
import process from 'node:process'
import { run } from 'node:test'
import { spec } from 'node:test/reporters'
import { pathToFileURL } from 'node:url'
import { build } from 'esbuild'

const FILES_PER_PROCESS = 5
/** Waiting for elections and processes to start leaves the processors idle most of the time. */
const PROCESSES = 5
/** Several times what the slowest takes on a busy machine: what is longer hangs. */
const FILE_MS_MAX = 600_000
const NEEDS_A_PROCESS = [
  /^(before|after|beforeEach|afterEach)\(/m,
  /child_process|worker_threads|\/synod\.js'|\/nodes\.js'/,
  /process\.(env\[|exit|chdir|umask|on\()/,
]
/** Keeps a processor busy for long. */
const IS_HEAVY = /^(testMutations|testSurvivors)\(|runSeeds\(/m

const roots = process.argv.slice(2).filter((a) => !a.startsWith('-'))
const files = (roots.length ? roots : ['test'])
  .flatMap((r) => (/\.test\.ts$/.test(r) ? [r] : filesIn(r).filter((f) => /\.test\.ts$/.test(f))))
  .map((file) => relative('', file))
  .toSorted()
if (files.length === 0) {
  console.error('no test files')
  process.exit(2)
}

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'synod-test-')))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1))
await build({
  entryPoints: ['src', 'test', 'scripts', 'examples'].flatMap((r) => filesIn(r).filter((f) => f.endsWith('.ts'))),
  outdir: folder,
  outbase: '.',
  target: 'node20',
  sourcemap: true,
  sourcesContent: false,
  logLevel: 'warning',
})
for (const name of ['node_modules', 'package.json', 'assets', 'proto']) symlinkSync(resolve(name), join(folder, name))
await bundlePrograms()

const heavy = []
const alone = []
const together = []
for (const file of files) {
  const text = readFileSync(file, 'utf8')
  if (IS_HEAVY.test(text)) heavy.push(compiled(file))
  else if (NEEDS_A_PROCESS.some((pattern) => pattern.test(text))) alone.push(compiled(file))
  else together.push(file)
}
const groups = []
for (let i = 0; i < together.length; i += FILES_PER_PROCESS) {
  const entry = join(folder, `${i}.mjs`)
  const imports = together
    .slice(i, i + FILES_PER_PROCESS)
    .map((file) => `await import('./${relative(folder, compiled(file))}')\n`)
  writeFileSync(entry, imports.join(''))
  groups.push(entry)
}
// Those that compute beside those that wait, and nothing long at the end.
const entries = []
while (heavy.length + alone.length > 0) entries.push(...heavy.splice(0, 1), ...alone.splice(0, 2))
entries.push(...groups)

process.env.NODE_OPTIONS = [process.env.NODE_OPTIONS, '--enable-source-maps'].filter(Boolean).join(' ')
let passed = 0,
  failed = 0,
  skipped = 0
/** Files of which no test has been heard. */
const silent = new Set(files.filter((file) => /\b(test|it)\(/.test(readFileSync(file, 'utf8'))).map((file) => resolve(file)))
/** Tests that have begun and not ended, by place: those that a process which is ended leaves behind are why. */
const open = new Map()
const stream = run({ files: entries, concurrency: PROCESSES, timeout: FILE_MS_MAX })
stream.on('test:dequeue', (t) => {
  if (!isFile(t)) open.set(placeOf(t), t.name)
})
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
  if (isFile(t)) return
  // Some versions of Node follow the source map.
  silent.delete(t.file?.startsWith(folder) ? sourceOf(t.file) : t.file)
  open.delete(placeOf(t))
}
function isFile(t) {
  return t.nesting === 0 && entries.some((f) => t.name === f || t.name.endsWith('/' + f))
}
function placeOf(t) {
  return `${t.file}:${t.line}:${t.column} ${t.name}`
}
/**
 * Puts a bundle in the place of each compiled program. They share chunks, so that a test's module that is loaded into a node changes the
 * node's own classes. `import.meta.url` and `__dirname` stay those of the source, as files are found by them.
 */
function bundlePrograms() {
  const programs = ['src', 'test'].flatMap(filesIn).filter(isProgram)
  const keepPlaces = {
    name: 'keep-places',
    setup: ({ onLoad }) =>
      onLoad({ filter: /\.[cm]?[jt]s$/ }, ({ path }) => {
        const text = readFileSync(path, 'utf8')
        if (path.includes('node_modules')) {
          const places = `var __dirname = ${JSON.stringify(dirname(path))}, __filename = ${JSON.stringify(path)};`
          return /\b__(dir|file)name\b/.test(text) ? { contents: places + text, loader: 'js' } : undefined
        }
        const url = JSON.stringify(pathToFileURL(compiled(relative('', path))).href)
        return text.includes('import.meta.url') ? { contents: text.replaceAll('import.meta.url', url), loader: 'ts' } : undefined
      }),
  }
  return build({
    entryPoints: programs,
    outdir: folder,
    outbase: '.',
    chunkNames: 'chunks/[name]-[hash]',
    target: 'node20',
    platform: 'node',
    format: 'esm',
    bundle: true,
    splitting: true,
    // pino starts a worker from a file of its own.
    external: ['classic-level', 'pino'],
    banner: { js: "import { createRequire as makeRequire } from 'node:module'; const require = makeRequire(import.meta.url);" },
    plugins: [keepPlaces],
    logLevel: 'warning',
  })
}
function isProgram(file) {
  return /(?<!\.test)\.ts$/.test(file) && !/^export /m.test(readFileSync(file, 'utf8'))
}
/** Where a test file is run from. */
function compiled(file) {
  return join(folder, file.replace(/\.ts$/, '.js'))
}
function sourceOf(compiledFile) {
  return resolve(relative(folder, compiledFile).replace(/\.js$/, '.ts'))
}
function filesIn(root) {
  return readdirSync(root, { recursive: true, encoding: 'utf8' }).map((f) => join(root, f))
}
stream.compose(new spec()).pipe(process.stdout)
stream.on('end', () =>
  setImmediate(() => {
    for (const file of silent) console.log(`no test was run: ${relative('', file)}`)
    for (const [place, name] of open) console.log(`never ended: ${name} (${place})`)
    failed += silent.size
    process.exitCode = failed ? 1 : 0
    setTimeout(() => console.log(`\n${passed} passed, ${failed} failed, ${skipped} skipped`), 50)
  }),
)
