import type { BackupPart } from '../../../src/host/api.js'
import { makeBallot } from '../../../src/paxos/ballot.js'
import type { LogEntry, Value } from '../../../src/paxos/types.js'
import type { CheckpointHeader } from '../../../src/protocol/checkpoint.js'
import { encodeBackup } from '../../../src/server/backup/backup-encoder.js'
import { RecordTally } from '../../../src/storage/record-tally.js'
import { checksumOf, seal } from '../../../src/storage/records.js'

const MEMBER = { nodeId: 1, dataDirId: 'data-1', peerAddress: '127.0.0.1:7201', clientAddress: '127.0.0.1:7101' }

export const HEADER: CheckpointHeader = {
  checkpointId: 'checkpoint-1',
  clusterId: '3b0f0c5e-3f6a-4c8e-9d55-0d6c1f7a2b10',
  slot: 7,
  timeMs: 1_700_000_000_000,
  stateDigest: 0xbeef,
  genesis: {
    clusterId: '3b0f0c5e-3f6a-4c8e-9d55-0d6c1f7a2b10',
    members: [MEMBER],
    initialCommands: [],
    windowSlots: 4,
    quotaBytes: 0,
    level: 1,
    levelVersion: '',
  },
  memberships: [{ epoch: 1, fromSlot: 1, members: [{ ...MEMBER, votesFrom: 1, returning: false }], lastNodeId: 1 }],
  boundarySlots: 7,
  boundaryCommands: 9,
  boundaryBytes: 0,
  skippedSlots: [],
  level: 1,
  levelVersion: '',
  bytes: 100,
}

/** Records under these names: tag and name, as they stand in a database. */
const RECORDS: readonly [key: string, value: string][][] = [
  [
    ['hmachine/movement/m-1', 'a movement'],
    ['smachine/account/alice', 'an account'],
  ],
  [
    ['smachine/account/bob', 'another'],
    ['smachine/key/greeting', 'a pair'],
    ['ssessions', 'counters'],
  ],
]

const batch = (timeMs: number): Value => ({ kind: 'batch', timeMs, commands: [Buffer.from('a command')] })
const ENTRIES: readonly LogEntry[] = [
  { slot: 8, ballot: makeBallot(1, 1), value: batch(1_700_000_005_000) },
  { slot: 9, ballot: makeBallot(2, 1), value: { kind: 'noop' } },
  { slot: 10, ballot: makeBallot(2, 1), value: batch(1_700_000_004_000) },
]

/** A small backup: a checkpoint of slot 7 with five records, and slots 8 to 10. */
export async function* sampleParts(): AsyncGenerator<BackupPart> {
  yield { header: HEADER }
  const state = new RecordTally()
  const history = new RecordTally()
  for (const page of RECORDS) {
    const keys = page.map(([name]) => Buffer.from(name))
    const records = page.map(([name, value]) => seal(Buffer.from(name), Buffer.from(value)))
    for (const [i, record] of records.entries()) {
      const tally = keys[i]?.[0] === 's'.charCodeAt(0) ? state : history
      tally.add(checksumOf(record))
    }
    yield { page: { keys, records } }
  }
  yield { end: { stateCount: state.count, stateSum: state.sum, historyCount: history.count, historySum: history.sum } }
  yield { entries: ENTRIES.slice(0, 2) }
  yield { entries: ENTRIES.slice(2) }
}

export async function sampleFile(
  parts: AsyncIterable<BackupPart> = sampleParts(),
  madeAtMs = 1_700_000_009_000,
): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of encodeBackup(parts, { nodeId: 1, version: '0.1.0', madeAtMs })) chunks.push(chunk)
  return Buffer.concat(chunks)
}
