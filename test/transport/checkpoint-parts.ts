import type { CheckpointHeader } from '../../src/protocol/checkpoint.js'
import type { CheckpointPart, CheckpointSink, TransferError } from '../../src/protocol/checkpoint-transfer.js'

export function headerOf(change: Partial<CheckpointHeader> = {}): CheckpointHeader {
  const member = { nodeId: 1, dataDirId: 'dir-1', peerAddress: 'n1:1', clientAddress: '' }
  return {
    checkpointId: 'view-1',
    clusterId: 'cluster',
    slot: 100,
    timeMs: 1_700_000_000_000,
    stateDigest: 7,
    genesis: {
      clusterId: 'cluster',
      members: [member],
      initialCommands: [Uint8Array.of(1)],
      windowSlots: 64,
      quotaBytes: 7,
      level: 2,
      levelVersion: '',
    },
    memberships: [{ epoch: 1, fromSlot: 1, members: [{ ...member, votesFrom: 1, returning: false }], lastNodeId: 1 }],
    boundarySlots: 3,
    boundaryCommands: 4,
    boundaryBytes: 0,
    skippedSlots: [3],
    level: 3,
    levelVersion: '1.2.3',
    bytes: 1_000,
    ...change,
  }
}

/** A page of one record of so many bytes. */
export function pageOf(key: number, bytes = 10): CheckpointPart {
  return { page: { keys: [Uint8Array.of(key >> 8, key & 255)], records: [new Uint8Array(bytes).fill(key)] } }
}

export const END: CheckpointPart = { end: { stateCount: 2, stateSum: 3, historyCount: 4, historySum: 5 } }

/** A sink that writes down what it is told; `onPart` may hold it up. */
export class Taker implements CheckpointSink {
  readonly parts: CheckpointPart[] = []
  readonly failures: TransferError[] = []
  readonly #wait: () => Promise<void> | void

  constructor(wait: () => Promise<void> | void = () => undefined) {
    this.#wait = wait
  }

  get kinds(): string {
    return this.parts.flatMap((part) => Object.keys(part)).join(' ')
  }

  onPart(part: CheckpointPart): Promise<void> | void {
    this.parts.push(part)
    return this.#wait()
  }

  onFailed(error: TransferError): void {
    this.failures.push(error)
  }
}
