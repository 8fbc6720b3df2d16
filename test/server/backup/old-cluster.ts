import { generateKeyPairSync } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { pino } from 'pino'
import { BankAndKeys } from '../../../src/api/bank-and-keys.js'
import { initialAuthority } from '../../../src/api/initial-authority.js'
import { Command, Query, Result } from '../../../src/gen/synod/session/v1/session.js'
import type { BackupPart } from '../../../src/host/api.js'
import { replayLog } from '../../../src/host/start/recovery.js'
import { EventObserver } from '../../../src/observer/observer.js'
import { makeBallot } from '../../../src/paxos/ballot.js'
import { genesisRecord } from '../../../src/paxos/memberships.js'
import type { DurableRecord, Genesis, LogEntry, Slot, Value } from '../../../src/paxos/types.js'
import { encodeOpenSession, encodeSessionCommand } from '../../../src/replication/envelope.js'
import { sessionCodec } from '../../../src/replication/session-records.js'
import { Sessions } from '../../../src/replication/sessions.js'
import { encodeBackup } from '../../../src/server/backup/backup-encoder.js'
import { LevelStorage } from '../../../src/storage/level-storage.js'
import { TOKEN } from '../../support/token.js'

const CLIENT_ID = 1
const TIME_MS = 1_700_000_000_000

export const OLD_CLUSTER_ID = '3b0f0c5e-3f6a-4c8e-9d55-0d6c1f7a2b10'
const { publicKey } = generateKeyPairSync('ed25519')
const PUBLIC_KEY = Buffer.from(publicKey.export({ format: 'jwk' }).x ?? '', 'base64url')

/** The state machine of a node, as its data directory has it. */
export interface Replayed {
  readonly appliedUpTo: Slot
  readonly stateDigest: number
  /** By slot. */
  readonly digests: ReadonlyMap<Slot, number>
  get(key: string): string | undefined
  /** Sends the client's request once more: the first result, and where it took effect. */
  retry(requestNumber: number, key: string): { slot: Slot; revision: bigint }
}

/** A put of request n writes its number under `key`. */
function put(requestNumber: number, key: string, text = String(requestNumber)): Uint8Array {
  const value = Buffer.from(text)
  const operation = { $case: 'put', value: { key, value, leaseId: 0n, returnPrevious: false, requestId: '' } } as const
  return Command.encode(Command.fromPartial({ operation })).finish()
}

/** What slot `slot` decides: the client's session, then a put of each slot's number under `key-…`. A second of log time each. */
export function valueOf(slot: Slot, text?: string): Value {
  const timeMs = TIME_MS + slot * 1_000
  if (slot === 1) return { kind: 'batch', timeMs, commands: [encodeOpenSession(TOKEN)] }
  const requestNumber = slot - 1
  const command = put(requestNumber, `key-${requestNumber % 5}`, text)
  const envelope = encodeSessionCommand({ clientId: CLIENT_ID, token: TOKEN, requestNumber, firstUnacknowledged: 1, command })
  return { kind: 'batch', timeMs, commands: [envelope] }
}

export function timeOf(slot: Slot): number {
  return TIME_MS + slot * 1_000
}

function entryAt(slot: Slot): LogEntry {
  return { slot, ballot: makeBallot(9, 2), value: valueOf(slot) }
}

/** The data directory of node 2 of an old cluster of three, with a checkpoint and a log behind it. */
export async function makeOldNode(
  directory: string,
  slots: { checkpoint: Slot; decided: Slot; votes?: readonly (Slot | LogEntry)[] },
): Promise<void> {
  let storage = await LevelStorage.open({ directory, nodeId: 2 })
  const members = [1, 2, 3].map((nodeId) => ({
    nodeId,
    dataDirId: nodeId === 2 ? storage.dataDirId : `directory-${nodeId}`,
    peerAddress: `10.0.0.${nodeId}:7201`,
    clientAddress: `10.0.0.${nodeId}:7101`,
  }))
  const authority = initialAuthority({ authorityId: 'mint', publicKey: PUBLIC_KEY })
  const genesis: Genesis = {
    clusterId: OLD_CLUSTER_ID,
    members,
    initialCommands: [authority],
    windowSlots: 4,
    quotaBytes: 0,
    level: 1,
    levelVersion: '',
  }
  await storage.append([{ kind: 'genesis', genesis }])
  await decide(storage, 1, slots.checkpoint)
  await storage.close()
  storage = await LevelStorage.open({ directory, nodeId: 2 })
  const { applier } = await replayed(storage)
  const { info, changes } = applier.checkpoint()
  await storage.saveCheckpoint({ ...info, memberships: [genesisRecord(genesis)] }, changes)
  await decide(storage, slots.checkpoint + 1, slots.decided)
  const votes = (slots.votes ?? []).map(
    (vote): DurableRecord => ({ kind: 'accepted', entry: typeof vote === 'number' ? entryAt(vote) : vote }),
  )
  if (votes.length > 0) await storage.append(votes)
  await storage.close()
}

async function decide(storage: LevelStorage, from: Slot, to: Slot): Promise<void> {
  const records: DurableRecord[] = []
  for (let slot = from; slot <= to; slot++) records.push({ kind: 'learned', entry: entryAt(slot) })
  if (records.length > 0) await storage.append([...records, { kind: 'decidedUpTo', slot: to }])
}

/** As a node does at its start. */
async function replayed(storage: LevelStorage) {
  const machine = new BankAndKeys()
  const sessions = new Sessions(machine, sessionCodec)
  const digests = new Map<Slot, number>()
  const { applier } = await replayLog({
    storage,
    sessions,
    machine,
    listener: { onOpened: () => {}, onClosed: () => {}, onLevel: () => {}, onOutcome: () => {}, isAwaited: () => false },
    logger: pino({ level: 'silent' }),
    nowMs: () => 0,
    observer: new EventObserver({ slotApplied: ({ entry, stateDigest }) => void digests.set(entry.slot, stateDigest) }),
  })
  return { applier, machine, sessions, digests }
}

/** Starts from a data directory, for a look. */
export async function replay(
  directory: string,
  nodeId: number,
): Promise<Replayed & { readonly storage: LevelStorage['recovered'] }> {
  const storage = await LevelStorage.open({ directory, nodeId })
  const { applier, machine, sessions, digests } = await replayed(storage)
  const { appliedUpTo, stateDigest } = applier
  const { recovered } = storage
  await storage.close()
  const at = { slot: appliedUpTo + 1, timeMs: timeOf(appliedUpTo + 1), level: 1 }
  return {
    appliedUpTo,
    stateDigest,
    digests,
    storage: recovered,
    get: (key) => {
      const query = Query.encode(Query.fromPartial({ query: { $case: 'get', value: { key } } })).finish()
      const { outcome } = Result.decode(machine.query(query))
      if (outcome?.$case !== 'get' || outcome.value.pair === undefined) return undefined
      return Buffer.from(outcome.value.pair.value).toString()
    },
    retry: (requestNumber, key) => {
      const request = {
        clientId: CLIENT_ID,
        token: TOKEN,
        requestNumber,
        firstUnacknowledged: 1,
        command: put(requestNumber, key),
      }
      const outcome = sessions.apply(request, at)
      if (outcome.kind !== 'result') throw new Error(outcome.kind)
      const result = Result.decode(outcome.result).outcome
      if (result?.$case !== 'put') throw new Error('not a put')
      return { slot: outcome.slot, revision: result.value.revision }
    },
  }
}

/** A backup of a data directory that no node runs on. */
export async function backUp(directory: string, file: string): Promise<void> {
  const storage = await LevelStorage.open({ directory, nodeId: 2 })
  const made = { nodeId: 2, version: '0.1.0', madeAtMs: TIME_MS }
  await pipeline(encodeBackup(partsOf(storage), made), createWriteStream(file))
  await storage.close()
}

async function* partsOf(storage: LevelStorage): AsyncGenerator<BackupPart> {
  const view = await storage.viewCheckpoint()
  if (view === undefined) throw new Error('there is a checkpoint')
  yield { header: view.header }
  for await (const page of view.pages(undefined, 1_000)) yield { page }
  yield { end: view.end }
  await view.close()
  const { decidedUpTo } = storage.recovered
  for (let slot = view.header.slot + 1; slot <= decidedUpTo; ) {
    const entries = await storage.readLog(slot, decidedUpTo, 200)
    yield { entries }
    slot += entries.length
  }
}
