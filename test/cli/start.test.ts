import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { freePorts } from '../../src/cli/ports.js'
import { connect as connectClient } from '../../src/client/client.js'
import { start } from './synod.js'

/** A client that says hello and then hangs, as under SIGSTOP: it reads nothing and never closes its side. */
async function hangingClient(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  await once(socket, 'connect')
  const emptySettings = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0])
  socket.pause()
  socket.write(Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), emptySettings]))
  return socket
}

describe('synod start', () => {
  it('ends when it is told to stop, whoever hangs on the other side of a connection', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'synod-start-'))
    const [clientPort, peerPort] = (await freePorts(2)) as [number, number]
    const peers = `1=127.0.0.1:${peerPort}/127.0.0.1:${clientPort}`
    const node = start(['start', '--id', '1', '--data', directory, '--peers', peers, '--log-level', 'error'])
    const client = connectClient({ endpoints: `127.0.0.1:${clientPort}` })
    await client.kv.put('a', 'b', { timeoutMs: 30_000 })
    client.close()
    const hanging = await Promise.all([hangingClient(clientPort), hangingClient(peerPort)])
    node.process.kill('SIGTERM')
    const code = await Promise.race([node.ended.then((ended) => ended.code), delay(15_000, 'still there', { ref: false })])
    node.process.kill('SIGKILL')
    for (const socket of hanging) socket.destroy()
    await rm(directory, { recursive: true })
    assert.equal(code, 0)
  })
})
