// A transport in a process of its own: `peer-process.ts NODE_ID [PEER_2_ADDRESS [PEER_3_ADDRESS]]`. Prints where it listens,
// greets whom it connects to, and stops when its input says something. It must then end by itself.
import { once } from 'node:events'
import { pino } from 'pino'
import { INSECURE } from '../../src/security/security.js'
import { PeerTransport } from '../../src/transport/peer-transport.js'

const [nodeId, ...peerAddresses] = process.argv.slice(2)
const transport = new PeerTransport({
  nodeId: Number(nodeId),
  listenAddress: '127.0.0.1:0',
  security: INSECURE,
  identity: () => ({ clusterId: 'cluster', dataDirId: 'dir' }),
  admit: () => undefined,
  tell: () => undefined,
  checkPeer: () => undefined,
  onMessages: () => undefined,
  serveCheckpoint: () => {
    throw new Error('nobody asks for it here')
  },
  onConnected: (peerId) => {
    transport.send(peerId, { kind: 'poll', pollId: 1 })
    transport.flush()
  },
  onRefused: () => undefined,
  logger: pino({ level: 'silent' }),
})
console.log(await transport.start())
transport.setPeers(peerAddresses.map((address, i) => ({ nodeId: i + 2, addresses: [address] })))
await once(process.stdin, 'data')
process.stdin.destroy()
await transport.stop()
