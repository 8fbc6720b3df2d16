// A node process of kill.test.ts: appends one slot after another and says on stdout, one line each, which are acknowledged.
import { writeSync } from 'node:fs'
import { LevelStorage } from '../../src/storage/level-storage.js'
import { accepted, infoAt, state } from './samples.js'

const [directory] = process.argv.slice(2)
if (directory === undefined) throw new Error('usage: writer-process DIRECTORY')

const CHECKPOINT_EVERY = 7
const STDOUT = 1

const storage = await LevelStorage.open({ directory, nodeId: 1 })
const { recovered } = storage
let slot = Math.max(recovered.decidedUpTo, ...recovered.accepted.map((entry) => entry.slot))
writeSync(STDOUT, `open ${slot}\n`)
for (;;) {
  slot += 1
  await storage.append([accepted(slot, undefined, 2_000), { kind: 'decidedUpTo', slot: slot - 1 }])
  writeSync(STDOUT, `acknowledged ${slot}\n`)
  if (slot % CHECKPOINT_EVERY === 0) {
    await storage.saveCheckpoint(infoAt(slot - 1, slot), state({ [`entry/${slot}`]: [slot % 256] }))
    writeSync(STDOUT, `saved ${slot}\n`)
  }
}
