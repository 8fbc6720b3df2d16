import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, beforeEach, describe, it } from 'node:test'
import { CliError } from '../../src/cli/failure.js'
import { NewFile, PRIVATE, writeNewFile } from '../../src/cli/new-file.js'

describe('a file that a command writes', () => {
  const root = mkdtempSync(join(tmpdir(), 'synod-file-'))
  const directory = join(root, 'd')
  const file = join(directory, 'bank.synod')
  beforeEach(() => {
    rmSync(directory, { recursive: true, force: true })
    mkdirSync(directory)
  })
  after(() => rmSync(root, { recursive: true, force: true }))

  it('is not there before it is whole, and then for its owner only', () => {
    writeFileSync(file, 'old', { mode: 0o644 })
    const made = new NewFile(file, PRIVATE)
    made.write(Buffer.from('ne'))
    assert.equal(readFileSync(file, 'utf8'), 'old')
    made.write(Buffer.from('w'))
    made.finish()
    made.discard()
    assert.equal(readFileSync(file, 'utf8'), 'new')
    assert.equal(statSync(file).mode & 0o777, 0o600)
    assert.deepEqual(readdirSync(directory), ['bank.synod'])
  })

  it('leaves nothing behind when it comes to nothing', () => {
    const made = new NewFile(file, PRIVATE)
    made.write(Buffer.from('half'))
    made.discard()
    assert.deepEqual(readdirSync(directory), [])
  })

  it('is whole when two write it at a time: the last to be done stays', () => {
    const [first, second] = [new NewFile(file, PRIVATE), new NewFile(file, PRIVATE)]
    for (let i = 0; i < 3; i++) {
      first.write(Buffer.from('a'))
      second.write(Buffer.from('bb'))
    }
    second.finish()
    assert.equal(readFileSync(file, 'utf8'), 'bbbbbb')
    first.finish()
    assert.equal(readFileSync(file, 'utf8'), 'aaa')
    assert.deepEqual(readdirSync(directory), ['bank.synod'])
  })

  it('takes the place of no device, pipe, directory or link, and says which it is', () => {
    const other = join(directory, 'other')
    writeFileSync(other, 'kept')
    symlinkSync(other, file)
    const pipe = join(directory, 'pipe')
    execFileSync('mkfifo', [pipe])
    const places: [string, RegExp][] = [
      [file, /it is a symbolic link/],
      [pipe, /it is a pipe/],
      [directory, /it is a directory/],
      ['/dev/null', /it is a device/],
      [join(other, 'x'), /ENOTDIR/],
      [join(directory, 'none', 'x'), /ENOENT/],
      [`${join(directory, 'none')}/`, /the name of a directory/],
      ['', /without a name/],
    ]
    for (const [place, message] of places) {
      assert.throws(
        () => writeNewFile(place, 'x', PRIVATE),
        (error) => error instanceof CliError && message.test(error.message) && error.message.includes(place),
        place,
      )
    }
    assert.equal(readFileSync(other, 'utf8'), 'kept')
    assert.deepEqual(readdirSync(directory), ['bank.synod', 'other', 'pipe'])
  })

  it('does not take the place of what has come there meanwhile and is no file', () => {
    const made = new NewFile(file, PRIVATE)
    symlinkSync('/dev/null', file)
    assert.throws(() => made.finish(), /symbolic link/)
    made.discard()
    assert.deepEqual(readdirSync(directory), ['bank.synod'])
  })
})
