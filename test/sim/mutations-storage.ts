import { type Mutation, strikes } from './mutant.js'

/** Deliberate bugs of src/storage. */
export const STORAGE_MUTATIONS: readonly Mutation[] = [
  {
    name: 'writes are not synced',
    file: 'storage/write-batch.ts',
    find: 'sync: true',
    replace: 'sync: false',
  },
  {
    name: 'the promise is not in the record of a write that holds no vote',
    file: 'storage/level-storage.ts',
    find: 'promised: this.#rules.promised,\n      decidedUpTo',
    replace: 'promised: batch.bytes > 0 ? this.#rules.promised : this.recovered.promised,\n      decidedUpTo',
  },
  {
    name: 'a write is two batches',
    file: 'storage/level-storage.ts',
    find: '    const writeBytes = batch.bytes + LINK_BYTES\n',
    replace:
      '    const writeBytes = batch.bytes + LINK_BYTES\n    if (batch.bytes > 0) await batch.write()\n    batch = new WriteBatch(this.#directory.db)\n',
  },
  {
    name: 'a checkpoint is written with the slot of the one before',
    file: 'storage/level-storage.ts',
    find: 'sealCheckpoint({ appliedUpTo, timeMs, stateDigest, state })',
    replace: 'sealCheckpoint({ appliedUpTo: this.#checkpoint.appliedUpTo, timeMs, stateDigest, state })',
  },
  {
    name: 'what is gone since the last checkpoint stays in it',
    file: 'storage/level-storage.ts',
    find: 'if (value === undefined) draft.batch.delete(key)\n        else',
    replace: 'if (value === undefined) keys.pop()\n        else',
  },
  {
    name: 'the witness is told of a write before it is durable',
    file: 'storage/level-storage.ts',
    find: '      await batch.write()\n      this.#witness.record(number)\n',
    replace: '      this.#witness.record(number)\n      await batch.write()\n',
  },
  {
    name: 'a record is not checked when it is read',
    file: 'storage/records.ts',
    find: 'if (checksum(key, record) !== checksumOf(record)) throw',
    replace: 'if (checksum(key, record) !== checksumOf(record) && record.length > 4_096) throw',
    favours: strikes('corruptedRecord'),
  },
]
