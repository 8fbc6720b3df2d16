import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import * as fc from 'fast-check'
import { COMMAND_CODEC } from '../../src/api/command-codec.js'
import { printJson } from '../../src/cli/output.js'
import { encode } from '../../src/encoding/encode.js'
import { keep } from '../../src/encoding/keep.js'
import { RowReader } from '../../src/encoding/row-reader.js'
import { decodeText, encodeText, maybeText } from '../../src/encoding/text.js'
import { GetRequest } from '../../src/gen/synod/kv/v1/kv.js'
import { Command, Query } from '../../src/gen/synod/session/v1/session.js'
import { decodeStrictly } from '../../src/server/strict-decode.js'
import { StatePages } from '../../src/storage/checkpoint/state-pages.js'
import { entryKey, nameOfKey } from '../../src/storage/record-keys.js'
import { ILL_FORMED_BYTES, ILL_FORMED_STRINGS, TEXTS } from '../support/texts.js'

const text = fc.oneof(fc.constantFrom(...TEXTS), fc.string({ unit: 'binary' }))

/** As a node's log and its clients have them. */
function put(key: string, requestId = ''): Command {
  return Command.fromPartial({ operation: { $case: 'put', value: { key, value: encodeText(key), requestId } } })
}

/** The same as the application knows it. */
function decodedPut(key: string): unknown {
  const operation = { $case: 'put', value: { key, value: keep(encodeText(key)), returnPrevious: false } }
  return { kind: 'write', operation, requestId: key }
}

/** Whatever kind of buffer its bytes stand in. */
function plain(command: Command): unknown {
  return Command.toJSON(command)
}

describe('text', () => {
  it('is read as it was written, in every form that it takes', () => {
    const rows = new RowReader()
    fc.assert(
      fc.property(text, (written) => {
        assert.equal(decodeText(encodeText(written)), written)
        assert.deepEqual(Buffer.from(encodeText(written)), Buffer.from(written))
        assert.equal(GetRequest.decode(encode(GetRequest, GetRequest.fromPartial({ key: written }))).key, written)
        const command = put(written, written)
        const bytes = encode(Command, command)
        assert.deepEqual(plain(Command.decode(bytes)), plain(command))
        const read = COMMAND_CODEC.decodeCommand(bytes, 1)
        if (Buffer.byteLength(written) <= 128) assert.deepEqual(read, decodedPut(written))
        for (const keyspace of ['state', 'history'] as const) assert.equal(nameOfKey(entryKey(keyspace, 1, written)), written)
        const pages = new StatePages()
        pages.add(entryKey('state', 0, written), Buffer.of(1))
        assert.deepEqual(
          [...pages.take()].flat().map(({ key }) => key),
          [written],
        )
        for (const read of ['string', 'text', 'text'] as const) {
          rows.begin(encode(GetRequest, GetRequest.fromPartial({ key: written })))
          if (rows.tag() !== 0) assert.equal(rows[read](), written)
        }
      }),
      { numRuns: 2_000 },
    )
  })

  it('stands in JSON as it was written', (t) => {
    const printed: string[] = []
    t.mock.method(process.stdout, 'write', (chunk: string) => printed.push(chunk) > 0)
    for (const written of TEXTS) {
      printJson({ key: written, value: Buffer.from(written), bytes: encodeText(written) })
      assert.deepEqual(JSON.parse(printed.pop() ?? ''), { key: written, value: written, bytes: written })
    }
    for (const bytes of ILL_FORMED_BYTES) {
      printJson({ bytes })
      assert.deepEqual(JSON.parse(printed.pop() ?? ''), { bytes: { base64: Buffer.from(bytes).toString('base64') } })
    }
  })

  it('is not made of bytes that are none, by any reader', () => {
    const rows = new RowReader()
    for (const bytes of ILL_FORMED_BYTES) {
      assert.throws(() => decodeText(bytes), TypeError)
      assert.equal(maybeText(bytes), undefined)
      const message = Buffer.concat([Buffer.of(0x0a, bytes.length), bytes])
      assert.throws(() => GetRequest.decode(message), TypeError)
      assert.equal(COMMAND_CODEC.decodeCommand(Buffer.concat([Buffer.of(0x0a, message.length), message]), 1), undefined)
      for (const read of ['string', 'text'] as const) {
        rows.begin(message)
        rows.tag()
        assert.throws(() => rows[read](), TypeError)
      }
      assert.throws(() => nameOfKey(Buffer.concat([Buffer.from('s'), bytes])), TypeError)
    }
  })

  it('is not made of a string that is none, nor of undefined, by any writer', () => {
    for (const written of ILL_FORMED_STRINGS) {
      assert.throws(() => encodeText(written), /surrogate/)
      assert.throws(() => encode(Command, put('k', written)), /surrogate/)
      assert.throws(() => entryKey('state', 0, written), /surrogate/)
    }
    const operation = { $case: 'get', value: { key: undefined, consistency: 0 } } as unknown as Query['query']
    assert.throws(() => encode(Query, { query: operation }), /must be a string, not undefined/)
    // What was half written is not before the next.
    assert.deepEqual(plain(Command.decode(encode(Command, put('k')))), plain(put('k')))
  })

  it('is told of by the field that is none, and by no other', () => {
    const operations = ['good\ufffd', '?'].map((key) => ({ operation: { $case: 'get' as const, value: { key } } }))
    const bytes = Buffer.from(encode(Command, Command.fromPartial({ operation: { $case: 'txn', value: { else: operations } } })))
    bytes[bytes.lastIndexOf('?')] = 0xff
    assert.throws(
      () => decodeStrictly(Command, bytes),
      (error: { violations?: unknown }) => {
        assert.deepEqual(error.violations, [{ field: 'txn.else[1].get.key', description: 'is not valid UTF-8' }])
        return true
      },
    )
  })
})

it('text and bytes meet in src/encoding alone', () => {
  const files = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'))
  const own = /new Text(De|En)coder|toString\('utf-?8'|\bBinary(Reader|Writer)\b.* from ["']@bufbuild/
  const strays = files.filter((file) => !file.startsWith('encoding/') && own.test(readFileSync(join('src', file), 'utf8')))
  assert.deepEqual(strays, [])
})
