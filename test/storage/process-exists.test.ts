import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { processExists } from '../../src/storage/directory/process-exists.js'

/** Above the highest that Linux gives. */
const NO_SUCH_PID = 4_194_305
const onLinux = { skip: existsSync('/proc/self/stat') ? false : 'needs /proc' }

test('a process that runs exists, one that never did does not', () => {
  assert.equal(processExists(process.pid), true)
  assert.equal(processExists(NO_SUCH_PID), false)
})

test('a process that was killed and that nobody reaps does not exist', onLinux, async () => {
  // The shell becomes `sleep`, which never asks after the child that it has inherited.
  const parent = spawn('sh', ['-c', 'sleep 60 & echo $!; exec sleep 60'], { stdio: ['ignore', 'pipe', 'ignore'] })
  try {
    const [line] = (await once(parent.stdout, 'data')) as [Buffer]
    const pid = Number(line.toString())
    assert.equal(processExists(pid), true)
    process.kill(pid, 'SIGKILL')
    while (!/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))) await delay(1)
    assert.doesNotThrow(() => process.kill(pid, 0), 'the system still knows its id')
    assert.equal(processExists(pid), false)
  } finally {
    parent.kill('SIGKILL')
  }
})
