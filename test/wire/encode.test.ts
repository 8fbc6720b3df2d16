import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { Envelope as WireEnvelope } from '../../src/gen/synod/peer/v1/peer.js'
import { Command } from '../../src/gen/synod/session/v1/session.js'
import { compareKept } from '../../src/machine/kept-bytes.js'
import { encode } from '../../src/wire/encode.js'
import { decodeEnvelope, encodeSessionCommand } from '../../src/wire/envelope.js'
import { keep } from '../../src/wire/kept-bytes.js'

const put = (key: string, bytes: number): Command =>
  Command.fromPartial({ operation: { $case: 'put', value: { key, value: new Uint8Array(bytes).fill(7) } } })

describe('what is encoded', () => {
  it('is what the library makes of it, small or large, and stays so while more is encoded', () => {
    const commands = [0, 1, 100, 900, 1_024, 2_000, 9_000, 5 << 20, 3].map((bytes, i) => put(`k${i}`, bytes))
    const encoded = commands.map((command) => encode(Command, command))
    for (let i = 0; i < 1_000; i++) encode(Command, put('another', i))
    for (const [i, bytes] of encoded.entries()) {
      assert.ok(Buffer.from(Command.encode(commands[i] as Command).finish()).equals(bytes), `command ${i}`)
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
  })

  it('is read as the generated decoder reads it', () => {
    fc.assert(
      fc.property(command, (sent) => {
        const read = decodeEnvelope(encodeSessionCommand(sent))
        assert.deepEqual(read?.kind === 'command' && { ...read.command, command: [...read.command.command] }, {
          ...sent,
          command: [...sent.command],
        })
      }),
    )
  })

  it('of a newer version is read all the same, and what is cut off or too large is none', () => {
    const bytes = encodeSessionCommand({ clientId: 5, requestNumber: 6, firstUnacknowledged: 1, command: new Uint8Array([9]) })
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
