import assert from 'node:assert/strict'
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'

const root = mkdtempSync(join(tmpdir(), 'synod-signals-'))
after(() => rmSync(root, { recursive: true, force: true }))

/** A process whose stopping never ends, and one of whose threads hangs as on a dead disk: process.exit would wait for it. */
async function hang(graceMs: number): Promise<ReturnType<typeof spawn>> {
  const fifo = join(root, `fifo-${graceMs}`)
  execFileSync('mkfifo', [fifo])
  const url = new URL('../../src/cli/signals.js', import.meta.url).href
  const code = `const { endAtOnce, onStopSignals } = await import(${JSON.stringify(url)})
    const { open } = await import('node:fs')
    open(${JSON.stringify(fifo)}, 'r', () => {})
    onStopSignals({ first: () => console.log('asked'), second: endAtOnce, graceMs: ${graceMs} })
    console.log('ready')`
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(child.stdout, 'data')
  return child
}

test('a process without a terminal, as nohup starts it, goes on when one is gone', () => {
  const url = new URL('../../src/cli/signals.js', import.meta.url).href
  const code = `const { onStopSignals } = await import(${JSON.stringify(url)})
    onStopSignals({ first: () => console.log('asked'), second: () => {} })
    console.log(process.listenerCount('SIGHUP') > 0 ? 'listens' : 'would be killed')
    process.on('SIGHUP', () => console.log('goes on')).on('SIGHUP', () => process.exit())
    process.kill(process.pid, 'SIGHUP')
    setInterval(() => {}, 1_000)`
  const { stdout, status } = spawnSync(process.execPath, ['--input-type=module', '-e', code], { encoding: 'utf8' })
  assert.deepEqual([stdout, status], ['listens\ngoes on\n', 0])
})

test('a process that does not come to its end is ended after a while', async () => {
  const child = await hang(50)
  child.kill('SIGTERM')
  assert.deepEqual(await once(child, 'exit'), [null, 'SIGKILL'])
})

test('the second signal ends at once, but not one of the same key press', async () => {
  const child = await hang(3_600_000)
  child.kill('SIGINT')
  assert.ok(child.stdout !== null)
  const [said] = (await once(child.stdout, 'data')) as [Buffer]
  assert.match(said.toString(), /asked/)
  const signals = setInterval(() => child.kill('SIGTERM'), 100)
  const [, signal] = (await once(child, 'exit')) as [null, string]
  clearInterval(signals)
  assert.equal(signal, 'SIGKILL')
})
