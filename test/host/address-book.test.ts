import assert from 'node:assert/strict'
import { it } from 'node:test'
import { AddressBook } from '../../src/host/peers/address-book.js'
import type { Announcement, NodeId } from '../../src/paxos/types.js'

const listed = (nodeId: NodeId, host: string) => ({ nodeId, peerAddress: `${host}:1`, clientAddress: `${host}:2` })
const said = (nodeId: NodeId, host: string, version: number, dataDirId = `dir-${nodeId}`): Announcement => ({
  ...listed(nodeId, host),
  dataDirId,
  version,
})
const nobodys = (): boolean => false

function bookOf({ own = 'a', remembered = [] }: { own?: string; remembered?: Announcement[] } = {}) {
  return new AddressBook({ self: 1, dataDirId: 'dir-1', given: [listed(1, own), listed(2, 'b')], remembered })
}

it('announces its own address, with a higher version when that is another than before', () => {
  assert.deepEqual(bookOf().announcements, [said(1, 'a', 1)])
  assert.deepEqual(bookOf({ remembered: [said(1, 'a', 4)] }).announcements, [said(1, 'a', 4)])
  assert.deepEqual(bookOf({ own: 'z', remembered: [said(1, 'a', 4)] }).announcements, [said(1, 'z', 5)])
  assert.deepEqual(bookOf({ remembered: [said(1, 'a', 4, 'dir-before')] }).announcements, [said(1, 'a', 1)])
})

it('looks for a node where it says itself that it is, then where it was told at the start, then where others say', () => {
  const book = bookOf({ remembered: [said(2, 'c', 3)] })
  assert.deepEqual(book.addressesOf(2, ['d:1', 'b:1']), ['b:1', 'c:1', 'd:1'])
  assert.equal(book.take(said(2, 'e', 4), 3, nobodys), 'new')
  assert.deepEqual(book.addressesOf(2, ['d:1']), ['b:1', 'e:1', 'd:1'])
  assert.equal(book.take(said(2, 'f', 5), 2, nobodys), 'moved')
  assert.deepEqual(book.addressesOf(2, ['d:1']), ['f:1', 'b:1', 'd:1'])
})

it('believes a node about itself, also one that has forgotten its version; of others it takes what is newer', () => {
  const book = bookOf({ remembered: [said(2, 'c', 3)] })
  assert.equal(book.take(said(2, 'old', 3), 3, nobodys), 'none')
  assert.equal(book.take(said(2, 'here', 2), 2, nobodys), 'moved')
  assert.equal(book.addressesOf(2, [])[0], 'here:1')
  assert.equal(book.announcementOf(2)?.version, 3, 'which it hears of, and raises')
  assert.equal(book.take(said(2, 'x', 1, 'dir-new'), 3, nobodys), 'none')
  assert.equal(
    book.take(said(2, 'x', 1, 'dir-new'), 3, (_, dataDirId) => dataDirId === 'dir-new'),
    'new',
  )
})

it('raises its version above what others remember of it that is not so', () => {
  const book = bookOf()
  assert.equal(book.take(said(1, 'before', 7), 2, nobodys), 'new')
  assert.deepEqual(book.announcements, [said(1, 'a', 8)])
  assert.equal(book.take(said(1, 'a', 8), 2, nobodys), 'none')
  assert.equal(book.take(said(1, 'other', 9, 'dir-before'), 2, nobodys), 'none')
})

it('holds a bounded number of nodes, and forgets those that are gone', () => {
  const book = bookOf()
  for (let nodeId = 2; nodeId < 300; nodeId++) book.take(said(nodeId, 'h', 1), nodeId, nobodys)
  assert.equal(book.announcements.length, 100)
  assert.equal(
    book.forget((nodeId) => nodeId > 2),
    true,
  )
  assert.deepEqual(
    book.announcements.map(({ nodeId }) => nodeId),
    [1, 2],
  )
})
