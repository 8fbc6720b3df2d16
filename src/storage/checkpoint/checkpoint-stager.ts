import { assert } from '../../paxos/assert.js'
import { INTERNAL_WRITE, type LinkedWriter } from '../log/linked-writer.js'
import {
  GENESIS_KEY,
  type Generation,
  generationOf,
  INCOMING_KEY,
  inGeneration,
  keyspaceOf,
  logKey,
  otherGeneration,
} from '../record-keys.js'
import { RecordTally } from '../record-tally.js'
import { checksumOf, RecordError, sealGenesis, unseal } from '../records.js'
import type { CheckpointEnd, CheckpointHeader, CheckpointPage, IncomingCheckpoint, UnfinishedCheckpoint } from '../storage.js'
import { type EntryTallies, endOf, type IncomingState, infoOf, noEntries, sealIncomingState } from './checkpoint-records.js'
import type { CheckpointWriter } from './checkpoint-writer.js'
import { GenerationSweeper } from './generation-sweeper.js'

/**
 * Receives checkpoints from peers. Pages are staged in the generation that is not in use; each page is one write, together with the
 * progress record. The install is one write that makes this generation the one in use. Entries of the unused generation without a
 * progress record have no effect and are removed.
 */
export class CheckpointStager {
  readonly #writer: LinkedWriter
  readonly #checkpoints: CheckpointWriter
  readonly #sweeper: GenerationSweeper
  /** The progress that is durable. */
  #staged: IncomingState | undefined
  /** The checkpoint that was handed out last. */
  #current: Incoming | undefined

  constructor(writer: LinkedWriter, checkpoints: CheckpointWriter, staged: IncomingState | undefined) {
    this.#writer = writer
    this.#checkpoints = checkpoints
    this.#staged = staged
    this.#sweeper = new GenerationSweeper(writer)
  }

  get unfinished(): UnfinishedCheckpoint | undefined {
    return this.#staged
  }

  /** Removes the remains of an earlier checkpoint in the background, if there are any. Resolves as soon as that is known. */
  async sweepLeftovers(): Promise<void> {
    if (this.#staged !== undefined || !(await this.#sweeper.hasEntries(this.#generation))) return
    void this.#sweeper.sweep(this.#generation)
  }

  async receive(header: CheckpointHeader): Promise<IncomingCheckpoint> {
    this.#writer.assertUsable()
    const { genesis } = this.#writer.rules
    if (genesis !== undefined && genesis.clusterId !== header.clusterId) {
      throw new RecordError(`the checkpoint belongs to cluster ${header.clusterId}, not to ${genesis.clusterId}`)
    }
    assert(header.slot > this.#checkpoints.state.info.appliedUpTo, 'a checkpoint never goes back')
    await this.#current?.untilIdle()
    this.#current = undefined
    if (this.#staged?.header.checkpointId !== header.checkpointId) await this.discard()
    this.#writer.assertUsable()
    const staged = this.#staged ?? { lastKey: undefined, tallies: noEntries() }
    const incoming = new Incoming(this, { header, lastKey: staged.lastKey, tallies: staged.tallies })
    this.#current = incoming
    return incoming
  }

  /** Writes a page's entries and the new progress in one write. */
  async stage(page: CheckpointPage, state: IncomingState): Promise<void> {
    const generation = this.#generation
    await this.#writer.write('background', INTERNAL_WRITE, (batch) => {
      for (const [i, key] of page.keys.entries()) batch.put(inGeneration(key, generation), asBuffer(page.records[i]))
      batch.put(INCOMING_KEY, sealIncomingState(state))
    })
    this.#staged = state
  }

  async install(header: CheckpointHeader, tallies: EntryTallies): Promise<void> {
    const { rules, log } = this.#writer
    const info = infoOf(header)
    const generation = this.#generation
    this.#checkpoints.beginInstall()
    let state = this.#checkpoints.state
    const decided = { kind: 'decidedUpTo', slot: Math.max(rules.decidedUpTo, header.slot) } as const
    const records = rules.genesis === undefined ? [{ kind: 'genesis', genesis: header.genesis } as const, decided] : [decided]
    await this.#writer.write('commit', { records, checkpoint: info, isInstall: true }, (batch) => {
      if (rules.genesis === undefined) {
        this.#writer.genesisChecksum = checksumOf(batch.put(GENESIS_KEY, sealGenesis(header.genesis)))
      }
      rules.noteInstalled(this.#checkpoints.state.info, header.slot, header.genesis)
      for (const slot of log.removeUpTo(header.slot)) batch.delete(logKey(slot))
      state = this.#checkpoints.put(batch, { info, generation, tallies })
      batch.delete(INCOMING_KEY)
    })
    this.#checkpoints.endInstall(state)
    this.#staged = undefined
    this.#current = undefined
    void this.#sweeper.sweep(this.#generation)
  }

  /** Discards the staged checkpoint; resolves when the unused generation is empty. */
  async discard(): Promise<void> {
    this.#current = undefined
    if (this.#staged !== undefined) {
      await this.#writer.write('background', INTERNAL_WRITE, (batch) => batch.delete(INCOMING_KEY))
      this.#staged = undefined
    }
    await this.#sweeper.sweep(this.#generation)
  }

  assertCurrent(incoming: Incoming): void {
    assert(this.#current === incoming, 'one checkpoint is received at a time')
  }

  /** The generation that is not in use. */
  get #generation(): Generation {
    return otherGeneration(this.#checkpoints.state.generation)
  }
}

class Incoming implements IncomingCheckpoint {
  readonly #receiver: CheckpointStager
  readonly #header: CheckpointHeader
  #lastKey: Buffer | undefined
  #tallies: EntryTallies
  #writing: Promise<void> | undefined

  constructor(
    receiver: CheckpointStager,
    state: { readonly header: CheckpointHeader; readonly lastKey: Buffer | undefined; readonly tallies: EntryTallies },
  ) {
    this.#receiver = receiver
    this.#header = state.header
    this.#lastKey = state.lastKey
    this.#tallies = state.tallies
  }

  get lastKey(): Uint8Array | undefined {
    return this.#lastKey
  }

  async add(page: CheckpointPage): Promise<void> {
    this.#receiver.assertCurrent(this)
    const header = this.#header
    const state = new RecordTally(this.#tallies.state)
    const history = new RecordTally(this.#tallies.history)
    let { bytes } = this.#tallies
    let lastKey = this.#lastKey
    if (page.keys.length !== page.records.length || page.keys.length === 0)
      throw new RecordError('a page has a record for each key')
    for (const [i, bytesOfKey] of page.keys.entries()) {
      const key = asBuffer(bytesOfKey)
      const record = asBuffer(page.records[i])
      const keyspace = keyspaceOf(key)
      if (keyspace === undefined || generationOf(key) !== 0)
        throw new RecordError('a page holds keys that are not checkpoint entries')
      if (lastKey !== undefined && Buffer.compare(key, lastKey) <= 0) throw new RecordError('a page is not the next one')
      unseal(key, record)
      const tally = keyspace === 'state' ? state : history
      tally.add(checksumOf(record))
      bytes += key.length + record.length
      lastKey = key
    }
    const next = { header, lastKey: Buffer.from(lastKey as Buffer), tallies: { state, history, bytes } }
    await this.#exclusively(() => this.#receiver.stage(page, next))
    this.#lastKey = next.lastKey
    this.#tallies = next.tallies
  }

  async install(end: CheckpointEnd): Promise<void> {
    this.#receiver.assertCurrent(this)
    const found = endOf(this.#tallies)
    const isWhole =
      end.stateCount === found.stateCount &&
      end.stateSum === found.stateSum &&
      end.historyCount === found.historyCount &&
      end.historySum === found.historySum
    if (!isWhole) {
      await this.#exclusively(() => this.#receiver.discard())
      throw new RecordError('the entries of a received checkpoint differ from those that were sent')
    }
    await this.#exclusively(() => this.#receiver.install(this.#header, this.#tallies))
  }

  /** Waits for the write in progress, if any. */
  async untilIdle(): Promise<void> {
    await this.#writing?.catch(() => undefined)
  }

  async #exclusively(run: () => Promise<void>): Promise<void> {
    assert(this.#writing === undefined, 'pages are added one at a time')
    this.#writing = run()
    try {
      await this.#writing
    } finally {
      this.#writing = undefined
    }
  }
}

function asBuffer(bytes: Uint8Array = new Uint8Array()): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
}
