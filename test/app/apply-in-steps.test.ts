import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BankAndKeys } from '../../src/api/bank-and-keys.js'
import { Command, Result } from '../../src/gen/synod/session/v1/session.js'
import { CheckpointDisk } from './checkpoint-disk.js'
import { fakeCrypto } from './fixture.js'
import { INITIAL_COMMAND } from './random-commands.js'

type Operation = NonNullable<Command['operation']>
type Batch = Extract<Operation, { $case: 'transferBatch' }>

const TRANSFERS = 1_200
/** How often one step may look at the disk: what takes long is that. */
const LOOKS_MAX = 512
const AT = { slot: 1, timeMs: 1_000, level: 1 }

class Fixture {
  readonly machine = new BankAndKeys(fakeCrypto)
  readonly disk = new CheckpointDisk()

  constructor() {
    this.disk.restore(this.machine)
    this.machine.apply(Command.encode(INITIAL_COMMAND).finish(), { slot: 0, timeMs: 0, level: 1 })
    for (const accountId of ['a', 'b']) {
      this.apply({ $case: 'openAccount', value: { accountId, asset: 'EUR', overdraftLimit: 1_000_000n, requestId: '' } })
    }
  }

  apply(operation: Operation): Result {
    return Result.decode(this.machine.apply(Command.encode({ operation }).finish(), AT))
  }

  /** Each step's looks at the disk. */
  step(operation: Batch): { looks: number[]; reasons: string[] } {
    const steps = this.machine.applyInSteps(Command.encode({ operation }).finish(), AT)
    assert.ok(steps !== undefined)
    const looks: number[] = []
    for (;;) {
      const before = this.disk.readCount
      const step = steps.next()
      looks.push(this.disk.readCount - before)
      if (step.done !== true) continue
      const { outcome } = Result.decode(step.value)
      assert.ok(outcome?.$case === 'transferBatch')
      return { looks, reasons: outcome.value.results.map(({ reason }) => reason) }
    }
  }
}

function batch(name: string, groupSize = 0, last = 'a'): Batch {
  const transfers = Array.from({ length: TRANSFERS }, (_, i) => ({
    transferId: `${name}-${i}`,
    sourceAccountId: i === TRANSFERS - 1 ? last : 'a',
    destinationAccountId: 'b',
    amount: 1n,
    pending: false,
    timeout: undefined,
  }))
  const groupCount = groupSize === 0 ? 0 : TRANSFERS / groupSize
  const linkedGroups = Array.from({ length: groupCount }, (_, i) => ({ first: i * groupSize, count: groupSize }))
  return { $case: 'transferBatch', value: { transfers, linkedGroups } }
}

for (const [kind, groupSize, last, reasons] of [
  ['each for itself', 0, 'a', ['']],
  ['linked in threes', 3, 'a', ['']],
  ['linked as a whole', TRANSFERS, 'a', ['']],
  ['linked as a whole, and refused', TRANSFERS, 'nobody', ['LINKED_REFUSED', 'ACCOUNT_NOT_FOUND']],
] as const) {
  test(`a large batch is carried out, and repeated, in small steps: ${kind}`, () => {
    const fixture = new Fixture()
    const operation = batch('t', groupSize, last)
    const first = fixture.step(operation)
    assert.deepEqual([...new Set(first.reasons)], reasons)
    fixture.disk.save(fixture.machine)
    const again = fixture.step(operation)
    assert.deepEqual(again.reasons, first.reasons)
    for (const { looks } of [first, again]) {
      assert.ok(looks.length > TRANSFERS / LOOKS_MAX)
      assert.ok(Math.max(...looks) <= LOOKS_MAX, `${Math.max(...looks)} looks at the disk in a step`)
    }
  })
}

test('what is no batch, though it begins as one, is carried out as it is without steps', () => {
  const fixture = new Fixture()
  const put: Operation = { $case: 'put', value: { key: 'k', value: new Uint8Array(), returnPrevious: false, requestId: 'r' } }
  const bytes = Buffer.concat([Command.encode({ operation: batch('t') }).finish(), Command.encode({ operation: put }).finish()])
  const first = fixture.machine.apply(bytes, AT)
  assert.equal(Result.decode(first).outcome?.$case, 'put')
  assert.deepEqual(fixture.machine.apply(bytes, { ...AT, slot: 2, level: 1 }), first, 'by its request id')
})

test('holds that end in one slot do so in small steps, and no more of them than a slot may have', () => {
  const fixture = new Fixture()
  const { value } = batch('hold')
  const transfers = value.transfers.map((each) => ({ ...each, pending: true, timeout: { seconds: 1n, nanos: 0 } }))
  fixture.apply({ $case: 'transferBatch', value: { transfers, linkedGroups: [] } })
  fixture.disk.save(fixture.machine)
  const ended: number[] = []
  for (let slot = 2; (fixture.machine.nextDeadlineMs ?? Number.POSITIVE_INFINITY) <= 5_000; slot++) {
    const before = fixture.disk.readCount
    const steps = fixture.machine.onSlotInSteps({ slot, timeMs: 5_000, level: 1 })
    assert.ok(steps !== undefined)
    for (let looked = before; steps.next().done !== true; looked = fixture.disk.readCount) {
      assert.ok(fixture.disk.readCount - looked <= LOOKS_MAX)
    }
    ended.push(fixture.disk.readCount - before)
  }
  assert.deepEqual(ended, [1_000, TRANSFERS - 1_000])
  assert.equal(fixture.machine.onSlotInSteps({ slot: 9, timeMs: 5_000, level: 1 }), undefined)
})
