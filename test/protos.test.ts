import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'

const root = mkdtempSync(join(tmpdir(), 'synod-protos-'))
const today = join(root, 'today.binpb')
execFileSync('node_modules/.bin/buf', ['build', 'proto', '-o', today])
after(() => rmSync(root, { recursive: true, force: true }))

/** Compares a copy of the protos, one of them changed, with the protos themselves. */
function compare(file: string, change: (text: string) => string): { status: number | null; stdout: string } {
  const copy = mkdtempSync(join(root, 'proto-'))
  cpSync('proto', copy, { recursive: true })
  const path = join(copy, 'synod', file)
  const before = readFileSync(path, 'utf8')
  const text = change(before)
  assert.notEqual(text, before)
  writeFileSync(path, text)
  return spawnSync(process.execPath, ['scripts/protos.mjs', 'check', copy, today], { encoding: 'utf8' })
}

/** Takes the first field of that number away. */
const withoutField = (number: number) => (text: string) => text.replace(new RegExp(`^ +.* = ${number};.*\\n`, 'm'), '')

const renamed = (text: string): string => text.replace(/(\w+) = 2;/, 'another_name = 2;')
const withMore = (text: string): string => text.replace(/^(message \w+ \{\n)/m, '$1  string more = 999;\n')

describe('protos are compared with those that landed last', () => {
  for (const file of ['kv/v1/kv.proto', 'state/v1/state.proto', 'storage/v1/storage.proto', 'peer/v1/peer.proto']) {
    it(`a field that is taken away from ${file} is refused`, () => {
      const { status, stdout } = compare(file, withoutField(2))
      assert.match(stdout, /Previously present .*"2"/)
      assert.equal(status, 1)
    })
  }

  it('a client’s field keeps its name, one of our nodes’ alone its number', () => {
    assert.match(compare('kv/v1/kv.proto', renamed).stdout, /changed name|another_name/)
    assert.equal(compare('storage/v1/storage.proto', renamed).status, 0)
  })

  it('a further field is welcome', () => {
    assert.equal(compare('kv/v1/kv.proto', withMore).status, 0)
  })
})
