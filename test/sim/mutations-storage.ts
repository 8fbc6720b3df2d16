import { type Mutation, strikes } from './mutant.js'

/** Deliberate bugs of src/storage. */
export const STORAGE_MUTATIONS: readonly Mutation[] = [
  {
    name: 'writes are not synced',
    file: 'storage/log/write-batch.ts',
    find: 'sync: true',
    replace: 'sync: false',
  },
  {
    name: 'the promise is not in the record of a write that holds no vote',
    file: 'storage/log/linked-writer.ts',
    find: 'promised: this.rules.promised,',
    replace: 'promised: batch.bytes > 0 ? this.rules.promised : this.recovered.promised,',
  },
  {
    name: 'a write is two batches',
    file: 'storage/log/linked-writer.ts',
    find: '    const writeBytes = batch.bytes + LINK_BYTES\n',
    replace:
      '    const writeBytes = batch.bytes + LINK_BYTES\n    if (batch.bytes > 0) await batch.write()\n    batch = new WriteBatch(this.db)\n',
  },
  {
    name: 'a checkpoint is written with the slot of the one before',
    file: 'storage/checkpoint/checkpoint-writer.ts',
    find: 'state = this.put(batch, { info, generation',
    replace: 'state = this.put(batch, { info: { ...info, appliedUpTo: this.#state.info.appliedUpTo }, generation',
  },
  {
    name: 'what is gone since the last checkpoint stays in it',
    file: 'storage/checkpoint/undo.ts',
    find: 'if (record === undefined) batch.delete(key)\n    else',
    replace: 'if (record !== undefined)',
  },
  {
    name: 'what a checkpoint had added when it was broken off stays',
    isRare: true,
    file: 'storage/checkpoint/undo.ts',
    find: 'if (before.length === 0) batch.delete(Buffer.from(bytes))\n        else',
    replace: 'if (before.length > 0)',
  },
  {
    name: 'the witness is told of a write before it is durable',
    file: 'storage/log/linked-writer.ts',
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
