import type { TestContext } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { pino } from 'pino'
import type { Message } from '../../src/paxos/messages.js'
import type { NodeId } from '../../src/paxos/types.js'
import { TransferError } from '../../src/protocol/checkpoint-transfer.js'
import { INSECURE } from '../../src/security/security.js'
import { type PeerRoute, PeerTransport, type PeerTransportOptions } from '../../src/transport/peer-transport.js'

interface Refused {
  readonly peerId: NodeId
  readonly reason: string
  readonly message: string
  readonly by: string
}

/** A transport that writes down what it is told. */
export interface TestNode {
  readonly nodeId: NodeId
  readonly transport: PeerTransport
  /** Where it listens. */
  readonly address: string
  readonly received: { from: NodeId; message: Message }[]
  /** How many messages came in each frame. */
  readonly frames: number[]
  readonly connected: NodeId[]
  readonly refused: Refused[]
}

/** Starts a transport that is stopped when the test ends. */
export async function startNode(t: TestContext, nodeId: NodeId, change: Partial<PeerTransportOptions> = {}): Promise<TestNode> {
  const received: TestNode['received'] = []
  const frames: number[] = []
  const connected: NodeId[] = []
  const refused: Refused[] = []
  const transport = new PeerTransport({
    nodeId,
    listenAddress: '127.0.0.1:0',
    security: INSECURE,
    identity: () => ({ clusterId: 'cluster', dataDirId: `dir-${nodeId}` }),
    admit: () => undefined,
    tell: () => undefined,
    checkPeer: () => undefined,
    onMessages: (from, messages) => {
      frames.push(messages.length)
      for (const message of messages) received.push({ from, message })
    },
    serveCheckpoint: () => {
      throw new TransferError('NOT_FOUND', 'there is none')
    },
    onConnected: (peerId) => connected.push(peerId),
    onRefused: (peerId, { reason, message }, by) => refused.push({ peerId, reason, message, by }),
    logger: pino({ level: 'silent' }),
    ...change,
  })
  t.after(() => transport.stop())
  const address = await transport.start()
  return { nodeId, transport, address, received, frames, connected, refused }
}

/** Lets every node dial every other, and waits until all are connected. */
export async function connectAll(...nodes: TestNode[]): Promise<void> {
  for (const node of nodes) node.transport.setPeers(nodes.map(addressOf))
  await until('every link is open', () => nodes.every((node) => node.connected.length === nodes.length - 1))
}

export function addressOf(node: TestNode): PeerRoute {
  return { nodeId: node.nodeId, addresses: [node.address] }
}

/** Looks every few milliseconds; fails after timeoutMs. */
export async function until(what: string, isSo: () => boolean, timeoutMs = 60_000): Promise<void> {
  const deadline = performance.now() + timeoutMs
  while (!isSo()) {
    if (performance.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${what}`)
    await delay(5)
  }
}
