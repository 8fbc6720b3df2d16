import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { crc32 } from 'node:zlib'
import { BankAndKeys } from '../../src/api/bank-and-keys.js'
import { REASONS } from '../../src/api/reasons.js'
import { WORDS, withWords } from '../../src/api/words.js'
import { Command, Result } from '../../src/gen/synod/session/v1/session.js'
import { fakeCrypto } from '../app/fixture.js'
import { Random } from '../app/random.js'
import { INITIAL_COMMAND, randomCommand } from '../app/random-commands.js'

const COMMANDS = 3_000
/** What no gateway lets through, and what is no command. */
const WRONG: readonly Uint8Array[] = [
  Command.encode(Command.fromPartial({ operation: { $case: 'transfer', value: { transferId: 't'.repeat(200), amount: -1n } } })),
  Command.encode(Command.fromPartial({ operation: { $case: 'put', value: { key: '' } } })),
].map((writer) => writer.finish())

/** What a node keeps and compares of a history, and what people are told. */
function carryOut(seed: number): { digest: number; told: string[]; reasons: Set<string> } {
  const machine = new BankAndKeys(fakeCrypto)
  const random = new Random(seed)
  const reasons = new Set<string>()
  const told: string[] = []
  let digest = 0
  const apply = (command: Uint8Array, slot: number): void => {
    const result = machine.apply(command, { slot, timeMs: 1_000 * slot, level: 1 })
    digest = crc32(result, digest)
    const { outcome } = withWords(Result.decode(result))
    if (outcome?.$case !== 'refusal') return
    reasons.add(outcome.value.reason)
    told.push(outcome.value.message)
  }
  apply(Command.encode(INITIAL_COMMAND).finish(), 0)
  for (let slot = 1; slot <= COMMANDS; slot++) apply(Command.encode(randomCommand(random)).finish(), slot)
  for (const [i, command] of [...WRONG, Buffer.from('no command')].entries()) apply(command, COMMANDS + 1 + i)
  return { digest, told, reasons }
}

function told(reason: string, parameters: Record<string, string>): string {
  const value = { reason, message: '', fieldViolations: [], parameters }
  const { outcome } = withWords({ slot: 1, outcome: { $case: 'refusal', value } })
  return outcome?.$case === 'refusal' ? outcome.value.message : ''
}

describe('the words of refusals', () => {
  it('are in nothing that nodes compare: with all of them changed the digest is the same', (t) => {
    const before = carryOut(7)
    assert.ok(before.reasons.size >= 10, `few reasons: ${[...before.reasons].join()}`)
    const own = { ...WORDS }
    t.after(() => Object.assign(WORDS, own))
    for (const reason of Object.keys(WORDS)) Object.assign(WORDS, { [reason]: () => `geänderte Worte für ${reason}` })
    const after = carryOut(7)
    assert.equal(after.digest, before.digest)
    for (const [i, message] of after.told.entries()) assert.notEqual(message, '', before.told[i])
    assert.ok(after.told.filter((message, i) => message !== before.told[i]).length > 100)
  })

  it('are in no result that is kept', () => {
    const machine = new BankAndKeys(fakeCrypto)
    const random = new Random(8)
    for (let slot = 0; slot <= COMMANDS; slot++) {
      const command = slot === 0 ? INITIAL_COMMAND : randomCommand(random)
      const { outcome } = Result.decode(machine.apply(Command.encode(command).finish(), { slot, timeMs: slot, level: 1 }))
      if (outcome?.$case === 'transferBatch')
        for (const { message, code } of outcome.value.results) assert.deepEqual([message, code], ['', 0])
      if (outcome?.$case !== 'refusal') continue
      assert.equal(outcome.value.message, '')
      for (const { description } of outcome.value.fieldViolations) assert.equal(description, '')
    }
    for (const command of WRONG) {
      const { outcome } = Result.decode(machine.apply(command, { slot: COMMANDS + 1, timeMs: COMMANDS + 1, level: 1 }))
      assert.ok(outcome?.$case === 'refusal' && outcome.value.message === '')
      assert.deepEqual(outcome.value.fieldViolations, [])
    }
  })

  it('name what the refusal is about', () => {
    const parameters = { account_id: 'alice', movement_id: 't-1', kind: 'transfer', amount: '300' }
    assert.equal(told('INSUFFICIENT_FUNDS', parameters), 'transfer "t-1" is refused: account "alice" has less than 300 available')
    assert.equal(told('ACCOUNT_NOT_FOUND', { account_id: 'bob' }), 'there is no account "bob"')
    assert.equal(told('OF_A_NEWER_VERSION', { account_id: 'bob' }), 'OF_A_NEWER_VERSION: account_id "bob"')
    for (const reason of Object.keys(WORDS)) assert.ok(Object.hasOwn(REASONS, reason), `${reason} is one of the reasons`)
  })
})
