import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, mkdtempSync, openSync, rmSync, statSync } from 'node:fs'
import { connect as connectTcp, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { freePorts } from '../../src/cli/ports.js'
import { connect } from '../../src/client/client.js'

const MAIN = new URL('../../src/cli/main.js', import.meta.url).pathname
const root = mkdtempSync(join(tmpdir(), 'synod-edge-'))
after(() => rmSync(root, { recursive: true, force: true }))

interface Node {
  readonly child: ChildProcess
  readonly endpoint: string
  readonly port: number
  readonly peerPort: number
}

/** One node through a shell, which sets its limits and where its log goes. */
async function startNode(
  t: { after: (run: () => void) => void },
  { name, before = '', stderr }: { name: string; before?: string; stderr: number | 'pipe' },
): Promise<Node> {
  const [port, peerPort] = (await freePorts(2)) as [number, number]
  const endpoint = `127.0.0.1:${port}`
  const command = `${before} exec '${process.execPath}' '${MAIN}' start --id 1 --data '${join(root, name)}' --peers 1=127.0.0.1:${peerPort}/${endpoint}`
  const env = { ...process.env, NODE_TEST_CONTEXT: undefined }
  const child = spawn('/bin/sh', ['-c', command], { stdio: ['ignore', 'ignore', stderr], env })
  t.after(() => child.kill('SIGKILL'))
  return { child, endpoint, port, peerPort }
}

async function put(endpoint: string): Promise<void> {
  const client = connect({ endpoints: endpoint })
  try {
    await client.kv.put('a', 'b', { timeoutMs: 30_000 })
  } finally {
    client.close()
  }
}

describe('a node', { skip: existsSync('/dev/full') ? false : 'needs /dev/full' }, () => {
  it('serves without its log, and ends when it is told to', async (t) => {
    const full = openSync('/dev/full', 'w')
    const { child, endpoint } = await startNode(t, { name: 'full', stderr: full })
    closeSync(full)
    await put(endpoint)
    child.kill('SIGTERM')
    assert.deepEqual(await once(child, 'exit'), [0, null])
  })

  it('serves when nobody reads its log any more, and files of its own are for its user only', async (t) => {
    const { child, endpoint } = await startNode(t, { name: 'gone', before: 'umask 000;', stderr: 'pipe' })
    child.stderr?.destroy()
    await put(endpoint)
    for (const file of ['identity.json', 'witness', 'db/CURRENT', 'lock/LOCK']) {
      assert.equal(statSync(join(root, 'gone', file)).mode & 0o077, 0, file)
    }
    child.kill('SIGINT')
    assert.deepEqual(await once(child, 'exit'), [0, null])
  })

  it('keeps file descriptors for itself, however many connections clients and peers open', async (t) => {
    const { child, endpoint, port, peerPort } = await startNode(t, { name: 'few', before: 'ulimit -n 256;', stderr: 'pipe' })
    child.stderr?.resume()
    await put(endpoint)
    const idle: Socket[] = []
    t.after(() => idle.forEach((socket) => socket.destroy()))
    const openMany = (to: number): Promise<boolean>[] =>
      Array.from({ length: 200 }, () => {
        const socket = connectTcp({ port: to, host: '127.0.0.1' })
        socket.on('error', () => {})
        idle.push(socket)
        // HTTP/2 servers speak first.
        return Promise.race([once(socket, 'data').then(() => true), once(socket, 'close').then(() => false)])
      })
    const takenPeers = (await Promise.all(openMany(peerPort))).filter(Boolean).length
    assert.equal(takenPeers, 256 / 8, 'peers have their share, and no more')
    const takenClients = (await Promise.all(openMany(port))).filter(Boolean).length
    assert.ok(takenClients > 20 && takenClients <= 256 - 80 - 74 - 32, String(takenClients))
    for (const socket of idle.slice(200)) socket.destroy()
    await put(endpoint)
    child.kill('SIGTERM')
    assert.deepEqual(await Promise.race([once(child, 'exit'), delay(15_000, 'still there', { ref: false })]), [0, null])
  })

  it('says so when the limit on file descriptors is too small to serve', async (t) => {
    const { child } = await startNode(t, { name: 'tiny', before: 'ulimit -n 100;', stderr: 'pipe' })
    let words = ''
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      words += text
    })
    const [code] = (await once(child, 'close')) as [number]
    assert.equal(code, 1)
    assert.match(words, /may open 100 files and connections: a node needs at least 224.*ulimit -n/)
  })
})
