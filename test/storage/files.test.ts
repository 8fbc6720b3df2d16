import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { it } from 'node:test'
import { makeDirectory } from '../../src/storage/directory/files.js'

it('makes a directory with those above it, and is content with one that is there', () => {
  const root = mkdtempSync(join(tmpdir(), 'synod-files-'))
  try {
    makeDirectory(join(root, 'a', 'b', 'c'))
    makeDirectory(join(root, 'a', 'b', 'c'))
    assert.ok(existsSync(join(root, 'a', 'b', 'c')))
    writeFileSync(join(root, 'file'), '')
    assert.throws(() => makeDirectory(join(root, 'file', 'x')), { code: 'ENOTDIR' })
  } finally {
    rmSync(root, { recursive: true })
  }
})

it('says so where no directory can be made, and does not try for ever', { skip: !existsSync('/proc/self') }, () => {
  assert.throws(() => makeDirectory('/proc/nope/deeper'), { code: 'ENOENT' })
})
