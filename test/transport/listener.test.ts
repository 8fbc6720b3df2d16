import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { test } from 'node:test'
import { Server } from '@grpc/grpc-js'
import { INSECURE } from '../../src/security/security.js'
import { shareDescriptors } from '../../src/storage/directory/descriptors.js'
import { Listener } from '../../src/transport/listener.js'

async function open(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1' })
  await once(socket, 'connect')
  return socket
}

test('past its bound connections are refused, and taken again when others have gone', async () => {
  const refusals: number[] = []
  const onRefused = (openCount: number): void => void refusals.push(openCount)
  const server = new Server({})
  const listener = await Listener.start(server, {
    address: '127.0.0.1:0',
    credentials: INSECURE.peerPort(),
    connectionsMax: 2,
    firstByteMs: 60_000,
    onRefused,
  })
  assert.equal(listener.address, `127.0.0.1:${listener.port}`)
  const sockets = [await open(listener.port), await open(listener.port)]
  const third = await open(listener.port)
  await once(third, 'close')
  assert.deepEqual(refusals, [2])
  await once(await open(listener.port), 'close')
  assert.deepEqual(refusals, [2], 'whoever comes again and again does not fill the log')
  sockets[0]?.destroy()
  // HTTP/2 servers speak first: a byte comes when the connection was taken.
  for (;;) {
    const next = connect({ port: listener.port, host: '127.0.0.1' })
    const [event] = (await Promise.race([once(next, 'data').then(() => ['taken']), once(next, 'close').then(() => ['refused'])])) as [string] // biome-ignore format: one line
    sockets.push(next)
    if (event === 'taken') break
  }
  await listener.close(50)
  server.forceShutdown()
  for (const socket of sockets) socket.destroy()
})

test('a connection that says nothing is closed', async () => {
  const server = new Server({})
  const options = {
    address: '127.0.0.1:0',
    credentials: INSECURE.peerPort(),
    connectionsMax: 2,
    firstByteMs: 20,
    onRefused: () => {},
  }
  const listener = await Listener.start(server, options)
  const socket = await open(listener.port)
  socket.resume()
  await once(socket, 'close')
  await listener.close(50)
  server.forceShutdown()
})

test('file descriptors are shared out so that LevelDB and peers have theirs, whatever the limit', () => {
  for (const limit of [224, 256, 1_024, 20_000, 1_048_576]) {
    const { tableFiles, clientConnections, peerConnections } = shareDescriptors(limit)
    assert.ok(tableFiles + clientConnections + peerConnections <= limit - 80, String(limit))
    assert.ok(tableFiles >= 74 && peerConnections >= 28 && clientConnections >= 40, String(limit))
  }
  assert.throws(() => shareDescriptors(223), /may open 223 files.*at least 224.*ulimit -n/)
})
