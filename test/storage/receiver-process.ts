// A node process of kill.test.ts: receives the checkpoint of another directory, which nobody else uses, while it appends, and writes
// big checkpoints of its own in pieces afterwards. Says on stdout, one line each, what is done.
import { writeSync } from 'node:fs'
import { LevelStorage } from '../../src/storage/level-storage.js'
import { pagesOf, viewOf } from './conformance-receiving.js'
import { accepted, accounts, decidedUpTo, infoAt } from './samples.js'

const [directory, senderDirectory] = process.argv.slice(2)
if (directory === undefined || senderDirectory === undefined) throw new Error('usage: receiver-process DIRECTORY SENDER')

const STDOUT = 1
const say = (line: string): unknown => writeSync(STDOUT, `${line}\n`)

const options = { window: { slots: 20, bytes: 1_000_000 }, pieceBytes: 5_000 }
const storage = await LevelStorage.open({ directory, nodeId: 1, ...options })
const sender = await LevelStorage.open({ directory: senderDirectory, nodeId: 2 })
const view = await viewOf(sender)
say(`open ${storage.checkpoint.appliedUpTo}`)
if (storage.checkpoint.appliedUpTo < view.header.slot) {
  const incoming = await storage.receiveCheckpoint(view.header)
  for (const page of await pagesOf(view, 4_000, incoming.lastKey)) {
    await incoming.add(page)
    say(`page ${incoming.lastKey?.length}`)
  }
  await incoming.install(view.end)
  say(`installed ${storage.checkpoint.appliedUpTo}`)
}
await view.close()
await sender.close()
for (let slot = storage.recovered.decidedUpTo + 1; ; slot++) {
  if (slot <= storage.checkpoint.appliedUpTo) continue
  await storage.append([accepted(slot), decidedUpTo(slot)])
  say(`appended ${slot}`)
  const value = Uint8Array.of(slot % 256)
  const saved = storage.saveCheckpoint(
    infoAt(slot),
    accounts(2_000).map((entry) => ({ ...entry, value })),
  )
  await storage.append([{ kind: 'promised', ballot: storage.lastWrite * 65_536 + 1 }])
  say(`promised ${slot}`)
  await saved
  say(`saved ${slot}`)
}
