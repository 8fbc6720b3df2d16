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
    { folder: 'paxos', refused: ['../tables/assert.js', '../member.js', 'node:fs', 'level'], allowed: ['./ballot.js'] },
    { folder: 'paxos/leader', refused: ['../../tables/assert.js', 'level'], allowed: ['../ballot.js', './pipeline.js'] },
    { folder: 'tables', refused: ['../paxos/types.js', '../encoding/encode.js', 'node:fs'], allowed: ['./table.js'] },
    {
      folder: 'replication',
      refused: ['../app/refusal.js', '../api/words.js', '../host/api.js', '../storage/storage.js'],
      allowed: ['../tables/table.js', '../encoding/encode.js'],
    },
    {
      folder: 'app',
      refused: [
        '../host/api.js',
        '../storage/storage.js',
        '../paxos/types.js',
        '../protocol/peer.js',
        '../api/words.js',
        '../gen/synod/kv/v1/kv.js',
      ],
      allowed: ['../replication/state-machine.js', '../tables/table.js'],
    },
    { folder: 'encoding', refused: ['../app/refusal.js', '../host/api.js'], allowed: ['../tables/kept-bytes.js'] },
    { folder: 'protocol', refused: ['../app/refusal.js', '../host/api.js', '../member.js'], allowed: ['../paxos/types.js'] },
    { folder: 'api', refused: ['../storage/files.js', '../host/api.js', '../protocol/peer.js'], allowed: ['../app/refusal.js'] },
    { folder: 'storage', refused: ['../host/api.js', '../app/refusal.js'], allowed: ['../paxos/types.js'] },
    { folder: 'transport', refused: ['../host/api.js', '../app/refusal.js'], allowed: ['../protocol/peer.js'] },
    { folder: 'observer', refused: ['../host/api.js', '../storage/storage.js', 'node:fs'], allowed: ['../paxos/types.js'] },
    { folder: 'security', refused: ['../server/config.js', '../transport/peer-refusal.js'], allowed: ['@grpc/grpc-js'] },
    {
      folder: 'host',
      refused: ['../server/config.js', '../app/refusal.js', '../api/words.js', '../testing/sim-cluster.js'],
      allowed: ['../paxos/node.js', '../replication/sessions.js'],
    },
    { folder: 'server', refused: ['../client/client.js', '../cli/ports.js'], allowed: ['../member.js'] },
    {
      folder: 'client',
      refused: ['../paxos/types.js', '../app/bank/bank.js', '../replication/sessions.js', '../host/api.js', '../member.js'],
      allowed: ['../app/bank/signing.js', '../api/reasons.js', '../host/runtime.js'],
    },
    {
      folder: 'cli',
      refused: ['../paxos/ballot.js', '../host/api.js', '../member.js', '../sim/runs/world.js', '../sim/history/history.js'],
      allowed: ['../client/client.js', '../sim/simulator.js'],
    },
    {
      folder: 'sim',
      refused: ['../transport/peer-refusal.js', '../client/client.js', '../client/stream.js', '../server/session-stream.js'],
      allowed: ['../host/apply/applier.js', '../client/client-sessions.js', '../server/session-dialogue.js'],
    },
    {
      folder: 'testing',
      refused: ['../server/server.js', '../cli/ports.js'],
      allowed: ['../sim/cluster/network.js', '../client/kv-client.js'],
    },
  ]

it('the linter refuses each import against the directions of the house in docs/architecture.md', (t) => {
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
