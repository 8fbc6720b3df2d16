import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { it } from 'node:test'
import { promisify } from 'node:util'
import { status } from '@grpc/grpc-js'
import { transform } from 'esbuild'
import { REASONS } from '../src/api/reasons.js'

const run = promisify(execFile)

it('docs/errors.md lists every reason that a client may see, with its status (UPDATE_DOCS=1 writes the table)', async () => {
  const rows = Object.entries(REASONS).map(([reason, { code, meaning }]) => `| ${reason} | ${status[code]} | ${meaning} |`)
  const table = ['| reason | gRPC status | meaning |', '| --- | --- | --- |', ...rows].join('\n')
  const text = await readFile('docs/errors.md', 'utf8')
  const updated = text.replace(/(<!-- reasons[^>]*-->\n)[^]*?(<!-- \/reasons -->)/, `$1\n${table}\n\n$2`)
  if (process.env['UPDATE_DOCS'] !== undefined) await writeFile('docs/errors.md', updated)
  else assert.equal(text, updated)
})

it('docs/signing.md shows the test vector that the code is tested with', async () => {
  const text = await readFile('docs/signing.md', 'utf8')
  const vector = JSON.parse(await readFile('test/app/signing-vector.json', 'utf8')) as Record<string, unknown>
  for (const name of ['privateKeySeedHex', 'publicKeyHex', 'signedBytesHex', 'signatureHex']) {
    const value = vector[name]
    assert.ok(typeof value === 'string' && text.includes(`\`${value}\``), `${name} is there`)
  }
})

it('docs/sdk.md shows a simulated cluster, which prints what the page says', async (t) => {
  const examples = [...(await readFile('docs/sdk.md', 'utf8')).matchAll(/```ts\n([^]*?)```/g)].map((match) => match[1] ?? '')
  const example = examples.find((code) => code.includes('synod/testing')) ?? assert.fail('there is one')
  const directory = await mkdtemp(join(tmpdir(), 'synod-docs-'))
  t.after(() => rm(directory, { recursive: true }))
  const file = join(directory, 'example.mjs')
  const { code } = await transform(example, { loader: 'ts' })
  await writeFile(file, code.replace('synod/testing', new URL('../src/testing/sim-cluster.js', import.meta.url).href))
  const { stdout } = await run(process.execPath, [file])
  assert.equal(stdout, `${/console\.log.* \/\/ (.*)$/m.exec(example)?.[1]}\n`)
})
