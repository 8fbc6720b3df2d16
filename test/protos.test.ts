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

type Change = (text: string) => string

/** Compares a copy of the protos, some of them changed, with the protos themselves. */
function compare(changes: Readonly<Record<string, Change>>): { status: number | null; stdout: string } {
  const copy = mkdtempSync(join(root, 'proto-'))
  cpSync('proto', copy, { recursive: true })
  for (const [file, change] of Object.entries(changes)) {
    const path = join(copy, 'synod', file)
    const before = readFileSync(path, 'utf8')
    const text = change(before)
    assert.notEqual(text, before, file)
    writeFileSync(path, text)
  }
  return spawnSync(process.execPath, ['scripts/protos.mjs', 'check', copy, today], { encoding: 'utf8' })
}

/** Takes the first field of number 2 away. */
const withoutField: Change = (text) => text.replace(/^ +.* = 2;.*\n/m, '')
const renamed: Change = (text) => text.replace(/(\w+) = 2;/, 'another_name = 2;')
const withMore: Change = (text) => text.replace(/^(message \w+ \{\n)/m, '$1  string more = 999;\n')

describe('protos are compared with those that landed last', () => {
  it('a field that is removed is refused, of clients, peers, state and disk', () => {
    const files = ['kv/v1/kv.proto', 'peer/v1/peer.proto', 'state/v1/state.proto', 'storage/v1/storage.proto']
    const { status, stdout } = compare(Object.fromEntries(files.map((file) => [file, withoutField])))
    for (const file of files) assert.match(stdout, new RegExp(`${file}.*Previously present .*"2"`))
    assert.equal(status, 1)
  })

  it('a field of clients keeps its name', () => {
    assert.match(compare({ 'kv/v1/kv.proto': renamed }).stdout, /another_name/)
  })

  it('a further field, and another name of a field that only our nodes read, are accepted', () => {
    assert.equal(compare({ 'kv/v1/kv.proto': withMore, 'storage/v1/storage.proto': renamed }).status, 0)
  })
})
