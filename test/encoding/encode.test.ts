import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import * as fc from 'fast-check'
import { COMMAND_CODEC, decodeAny } from '../../src/api/command-codec.js'
import { decodeUsual } from '../../src/api/usual-commands.js'
import { encode } from '../../src/encoding/encode.js'
import { keep } from '../../src/encoding/keep.js'
import { Envelope as WireEnvelope } from '../../src/gen/synod/log/v1/log.js'
import { Command } from '../../src/gen/synod/session/v1/session.js'
import { decodeEnvelope, encodeSessionCommand } from '../../src/replication/envelope.js'
import { compareKept } from '../../src/tables/kept-bytes.js'
import { TOKEN } from '../support/token.js'

const put = (key: string, bytes: number): Command =>
  Command.fromPartial({ operation: { $case: 'put', value: { key, value: new Uint8Array(bytes).fill(7) } } })

describe('what is encoded', () => {
  it('is what the library makes of it, small or large, and stays so while more is encoded', () => {
    const commands = [0, 1, 100, 900, 1_024, 2_000, 9_000, 5 << 20, 3].map((bytes, i) => put(`k${i}`, bytes))
    const encoded = commands.map((command) => encode(Command, command))
    for (let i = 0; i < 1_000; i++) encode(Command, put('another', i))
    for (const [i, command] of commands.entries()) {
      assert.ok(Buffer.from(Command.encode(command).finish()).equals(encoded[i] ?? Buffer.alloc(0)), `command ${i}`)
    }
  })

  it('is whole again after a message that cannot be encoded', () => {
    assert.throws(() => encode(Command, Command.fromPartial({ operation: { $case: 'transfer', value: { amount: 1n << 70n } } })))
    assert.ok(Buffer.from(Command.encode(put('k', 5)).finish()).equals(encode(Command, put('k', 5))))
  })
})

describe('the envelope', () => {
  const number = fc.oneof(fc.nat(300), fc.maxSafeNat())
  const command = fc.record({
    clientId: number,
    requestNumber: number,
    firstUnacknowledged: number,
    command: fc.uint8Array({ maxLength: 300 }),
    quotaBytes: fc.oneof(fc.constant(0), number),
    token: fc.uint8Array({ maxLength: 20 }),
  })

  it('is read as the generated decoder reads it', () => {
    fc.assert(
      fc.property(command, (sent) => {
        const read = decodeEnvelope(encodeSessionCommand(sent))
        assert.deepEqual(
          read?.kind === 'command' && { ...read.command, command: [...read.command.command], token: [...read.command.token] },
          {
            ...sent,
            command: [...sent.command],
            token: [...sent.token],
          },
        )
      }),
    )
  })

  it('of a newer version is read all the same, and what is cut off or too large is none', () => {
    const bytes = encodeSessionCommand({
      clientId: 5,
      token: TOKEN,
      requestNumber: 6,
      firstUnacknowledged: 1,
      command: new Uint8Array([9]),
    })
    const newer = Buffer.concat([bytes, Buffer.from([0x78, 1])])
    const read = decodeEnvelope(newer)
    assert.equal(read?.kind === 'command' && read.command.requestNumber, 6)
    assert.equal(decodeEnvelope(bytes.subarray(0, -1)), undefined)
    const huge = Buffer.from([0x12, 10, 0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f])
    assert.equal(decodeEnvelope(huge), undefined)
    assert.throws(() => WireEnvelope.decode(huge))
  })
})

it('what is kept compares as the bytes do', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 6 }), fc.uint8Array({ maxLength: 6 }), (a, b) => {
      const expected = Math.sign(Buffer.compare(a, b))
      assert.equal(Math.sign(compareKept(a, b)), expected)
      assert.equal(Math.sign(compareKept(keep(a), b)), expected)
    }),
  )
})

describe('a command', () => {
  const text = fc.oneof(fc.string({ maxLength: 40 }), fc.string({ unit: 'grapheme', maxLength: 12 }))
  const amount = fc.oneof(fc.bigInt({ min: 0n, max: 2_000n }), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }))
  const put = fc.record({ key: text, value: fc.uint8Array({ maxLength: 200 }), returnPrevious: fc.boolean(), requestId: text })
  const transfer = fc.record({
    transferId: text,
    sourceAccountId: text,
    destinationAccountId: text,
    amount,
    pending: fc.boolean(),
    timeout: fc.option(fc.record({ seconds: fc.bigInt({ min: 0n, max: 9n }), nanos: fc.nat(9) }), { nil: undefined }),
  })

  it('is read by hand as the generated decoder reads it', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          put.map((value) => ({ $case: 'put', value })),
          transfer.map((value) => ({ $case: 'transfer', value })),
        ),
        (operation) => {
          const bytes = Command.encode(Command.fromPartial({ operation } as Command)).finish()
          const byHand = decodeUsual(bytes, keep)
          const isUsual = !('timeout' in operation.value && operation.value.timeout !== undefined)
          if (!('requestId' in operation.value && operation.value.requestId !== '') && isUsual) assert.ok(byHand !== undefined)
          if (byHand !== undefined) assert.deepEqual(byHand, decodeAny(bytes, 1))
        },
      ),
    )
  })

  it('is read alike when its bytes are anything at all, or refused alike', () => {
    const tag = fc.constantFrom(0x0a, 0x3a, 0x10, 0x12, 0x22, 0x2a, 0x20)
    const bytes = fc
      .tuple(tag, fc.array(fc.oneof(tag, fc.nat(12), fc.nat(255)), { maxLength: 14 }))
      .map(([first, rest]) => [first, rest.length, ...rest])
    fc.assert(
      fc.property(bytes, (numbers) => {
        const sent = Uint8Array.from(numbers)
        assert.deepEqual(COMMAND_CODEC.decodeCommand(sent, 1), decodeAny(sent, 1))
      }),
      { numRuns: 5_000 },
    )
  })
})
