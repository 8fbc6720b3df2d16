import assert from 'node:assert/strict'
import { test } from 'node:test'
import { array, assert as check, constantFrom, nat, oneof, property, string } from 'fast-check'
import { compareUtf8, encodeUtf8, utf8Length } from '../../src/tables/utf8.js'

const text = string({
  unit: constantFrom('', 'a', 'b', '\u007f', 'é', '\u07ff', '\u0800', '\ud7ff', '\ue000', '～', '\uffff', '😀', '𐀀'),
})

/** Any code points but surrogates. */
const anyText = array(nat(0x10ffff)).map((points) =>
  String.fromCodePoint(...points.filter((point) => point < 0xd800 || point > 0xdfff)),
)

test('strings are ordered as their UTF-8 bytes are', () => {
  check(
    property(text, text, (a, b) => {
      assert.equal(Math.sign(compareUtf8(a, b)), Buffer.compare(Buffer.from(a), Buffer.from(b)))
    }),
  )
})

test('an astral character comes after U+FF5E, although JavaScript says the opposite', () => {
  assert.deepEqual(['～', '😀'].toSorted(), ['😀', '～'])
  assert.ok(compareUtf8('😀', '～') > 0)
})

test('encoding and length agree with those of Node', () => {
  check(
    property(oneof(text, anyText), (whole) => {
      assert.deepEqual(Buffer.from(encodeUtf8(whole)), Buffer.from(whole))
      assert.equal(utf8Length(whole), Buffer.byteLength(whole))
    }),
  )
})
