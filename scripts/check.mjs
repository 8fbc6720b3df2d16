// npm run check: everything that can be said of the code without running it. Runs all, then fails if one failed.
import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findBrokenLinks } from './links.mjs'
import { areProtosCompatible } from './protos.mjs'

const bin = (name) => join('node_modules', '.bin', name)

const steps = [
  ['format', bin('biome'), ['check']],
  ['lint, import directions, cycles', bin('oxlint'), ['--type-aware', '--quiet']],
  ['types', bin('tsc'), ['-p', 'tsconfig.json', '--noEmit']],
  ['types of the pure folders, without Node and the DOM', bin('tsc'), ['-p', 'tsconfig.pure.json']],
  ['types of the trace page, in the browser', bin('tsc'), ['-p', 'tsconfig.assets.json']],
  ['types of tests and scripts', bin('tsc'), ['-p', 'tsconfig.test.json']],
  ['unused files, exports and dependencies', bin('knip'), []],
  ['the package, as published', bin('publint'), ['--strict']],
  ["the package's types, as published", bin('attw'), ['--pack', '.', '--profile', 'esm-only', '--quiet']],
]

/** Generates the code again and compares: what is committed must be what the protos say. */
function isGeneratedCodeCurrent() {
  const before = mkdtempSync(join(tmpdir(), 'synod-gen-'))
  try {
    cpSync('src/gen', before, { recursive: true })
    execFileSync('node', ['scripts/gen.mjs'], { stdio: 'inherit' })
    return spawnSync('diff', ['-r', before, 'src/gen'], { stdio: 'inherit' }).status === 0
  } finally {
    rmSync(before, { recursive: true, force: true })
  }
}

let passed = 0
let failed = 0
function report(name, ok) {
  if (ok) passed++
  else failed++
  console.log(`${ok ? 'ok  ' : 'FAIL'} ${name}`)
}

for (const [name, command, args] of steps) report(name, spawnSync(command, args, { stdio: 'inherit' }).status === 0)
report('generated code is up to date', isGeneratedCodeCurrent())
report('protos are compatible with those that landed last', areProtosCompatible())
const brokenLinks = findBrokenLinks()
for (const link of brokenLinks) console.error(link)
report('links of the documentation', brokenLinks.length === 0)
console.log(`\n${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1
