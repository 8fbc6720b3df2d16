import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { it } from 'node:test'
import { isClosed } from '../../src/cli/closed.js'

it('a closed descriptor, in whose place Node opens /dev/null, is told from a file, a pipe and a /dev/null that was meant', (t) => {
  const open = (path: string, flags: string): number => {
    const fd = openSync(path, flags)
    t.after(() => closeSync(fd))
    return fd
  }
  assert.ok(!isClosed(open('/dev/null', 'r')))
  assert.ok(!isClosed(open('/dev/null', 'w')))
  assert.ok(!isClosed(open('/dev/zero', 'r+')))
  assert.ok(!isClosed(99_999))
  const started = spawnSync(
    'sh',
    ['-c', '"$0" -e "fs.writeSync(2, fs.readlinkSync(\'/proc/self/fd/0\'))" <&-', process.execPath],
    {
      encoding: 'utf8',
    },
  )
  assert.equal(started.stderr, '/dev/null')
  assert.ok(isClosed(open('/dev/null', 'r+')))
})
