import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { it } from 'node:test'

const OXLINT = resolve('node_modules/.bin/oxlint')

/** For each folder, imports that the linter must refuse, and some that it must not. */
const IMPORTS: readonly { readonly folder: string; readonly refused: readonly string[]; readonly allowed: readonly string[] }[] =
  [
    { folder: 'paxos', refused: ['../machine/assert.js', '../member.js', 'node:fs', 'level'], allowed: ['./ballot.js'] },
    { folder: 'machine', refused: ['../paxos/types.js', '../wire/encode.js', 'node:fs'], allowed: ['./table.js'] },
    { folder: 'wire', refused: ['../storage/files.js', '../host/api.js', '../member.js'], allowed: ['../paxos/types.js'] },
    { folder: 'storage', refused: ['../host/api.js', '../member.js'], allowed: ['../paxos/types.js'] },
    { folder: 'transport', refused: ['../host/api.js', '../member.js'], allowed: ['../wire/peer.js'] },
    {
      folder: 'host',
      refused: ['../server/config.js', '../sim/world.js', '../testing/sim-cluster.js'],
      allowed: ['../paxos/node.js'],
    },
    { folder: 'server', refused: ['../client/client.js', '../cli/ports.js'], allowed: ['../member.js'] },
    {
      folder: 'client',
      refused: ['../paxos/types.js', '../machine/bank.js', '../member.js'],
      allowed: ['../machine/signing.js'],
    },
    {
      folder: 'cli',
      refused: ['../paxos/ballot.js', '../host/api.js', '../member.js', '../sim/world.js', '../sim/history/history.js'],
      allowed: ['../client/client.js', '../sim/simulator.js'],
    },
    { folder: 'sim', refused: ['../transport/refusal.js', '../client/client.js'], allowed: ['../host/applier.js'] },
    { folder: 'testing', refused: ['../server/server.js', '../cli/ports.js'], allowed: ['../sim/network.js', '../client/kv.js'] },
  ]

it('the linter refuses each import against the directions of the README’s picture', (t) => {
  const root = mkdtempSync(join(tmpdir(), 'synod-directions-'))
  t.after(() => rmSync(root, { recursive: true }))
  copyFileSync('.oxlintrc.json', join(root, '.oxlintrc.json'))
  const expected: string[] = []
  for (const { folder, refused, allowed } of IMPORTS) {
    for (const [i, specifier] of [...refused, ...allowed].entries()) {
      const file = `src/${folder}/import-${i}.ts`
      mkdirSync(join(root, dirname(file)), { recursive: true })
      writeFileSync(join(root, file), `export * from '${specifier}'\n`)
      if (i < refused.length) expected.push(`${file} ${specifier}`)
    }
  }
  // Without what the test runner has Node load: it is not to be found from there.
  const env = { ...process.env, NODE_OPTIONS: '' }
  const { stdout, stderr } = spawnSync(OXLINT, ['--quiet', '--format', 'unix', 'src'], { cwd: root, encoding: 'utf8', env })
  const found = Array.from(
    stdout.matchAll(/^(src\/\S+?\.ts):\d+:\d+: '(.+?)' import is restricted/gm),
    ([, file, specifier]) => `${file} ${specifier}`,
  )
  assert.deepEqual(found.toSorted(), expected.toSorted(), stdout + stderr)
})
