import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { pino } from 'pino'
import { PeerTalk } from '../../src/host/peers/peer-talk.js'
import type { HostMessage, Message } from '../../src/paxos/messages.js'
import type { Member, NodeId } from '../../src/paxos/types.js'
import { fakeFinder } from './fake-finder.js'

const member = (nodeId: NodeId, votesFrom = 1): Member => ({
  nodeId,
  dataDirId: `dir-${nodeId}`,
  peerAddress: '',
  clientAddress: '',
  votesFrom,
  returning: false,
})

/** `mark 10`: what the message says, of marks only the numbers. */
function describeMessage(message: Message): string {
  if (message.kind === 'mark')
    return `mark ${message.marks.map(({ dataDirId, writeNumber }) => `${dataDirId}:${writeNumber}`).join(' ')}`
  return Object.values(message).join(' ')
}

const mark = (dataDirId: string, writeNumber: number) => ({ kind: 'mark', marks: [{ dataDirId, writeNumber }] }) as const

function setUp(
  change: {
    voters?: NodeId[][]
    lastWrite?: number
    marks?: [string, number][]
    self?: NodeId
    members?: Member[]
    needed?: 'one'
    skippedSlots?: number[]
  } = {},
) {
  const { voters = [[1, 2, 3]], lastWrite = 10, marks = [], self = 1, members = [1, 2, 3].map((id) => member(id)) } = change
  const { needed = 'majority' } = change
  const sent: { to: NodeId; message: Message }[] = []
  const noted: [string, number][][] = []
  const storage = {
    dataDirId: `dir-${self}`,
    lastWrite,
    marks: new Map(marks),
    noteMarks: (map: ReadonlyMap<string, number>) => void noted.push([...map]),
  }
  const known = { members }
  const passed = { appliedUpTo: 20, skippedSlots: change.skippedSlots ?? [] }
  const talk = new PeerTalk({
    self,
    levels: { onRoster: () => {}, tick: () => {} },
    storage,
    finder: fakeFinder(voters, needed),
    members: () => known.members,
    send: (to, message) => void sent.push({ to, message }),
    passed: () => passed,
    recallId: 77,
    logger: pino({ level: 'silent' }),
  })
  const recalled = (from: NodeId, writeNumber: number) =>
    talk.onMessage(from, { kind: 'recalled', writeNumber, recallId: 77 }, `dir-${from}`)
  return {
    talk,
    sent,
    noted,
    storage,
    known,
    recalled,
    told: () => sent.splice(0).map((s) => `${s.to} ${describeMessage(s.message)}`),
  }
}

describe('the start gate', () => {
  it('of a directory that knows no cluster opens at one word: some of those that it was told of may be no members any more', () => {
    const { talk, recalled } = setUp({ voters: [[2, 3]], needed: 'one' })
    assert.equal(talk.isOpen, false)
    recalled(3, 0)
    assert.equal(talk.isOpen, true)
    assert.throws(() => setUp({ voters: [[2, 3]], needed: 'one' }).recalled(2, 11), /is an older copy/)
    assert.equal(setUp({ voters: [[]], needed: 'one' }).talk.isOpen, true)
  })

  it('ends a node of which a majority of the others goes on expecting another directory, but not one that lags', () => {
    const { talk, recalled } = setUp({ voters: [[1, 2, 3, 4, 5]] })
    for (const from of [2, 3, 4]) talk.onRefusedForDirectory(from, `node 1 votes from data directory new, not from dir-1`)
    talk.tick(1_000)
    talk.tick(5_900)
    recalled(2, 10)
    talk.tick(6_200)
    talk.onRefusedForDirectory(5, `node 1 votes from data directory new, not from dir-1`)
    talk.tick(7_000)
    talk.tick(11_900)
    assert.throws(() => talk.tick(12_100), {
      code: 'DATA_DIR_MISMATCH',
      message: /data directory new, .*replace this member/,
      remedies: [{ code: 'REPLACE_MEMBER', nodeId: 1 }],
    })
  })

  it('opens when a majority, this node included, knows of nothing newer', () => {
    const { talk, recalled } = setUp({ voters: [[1, 2, 3, 4, 5]] })
    assert.equal(talk.isOpen, false)
    recalled(2, 10)
    recalled(2, 10)
    assert.equal(talk.isOpen, false, 'voters are counted, not answers')
    recalled(9, 0)
    assert.equal(talk.isOpen, false, 'a stranger does not count')
    recalled(5, 0)
    assert.equal(talk.isOpen, true)
  })

  it('asks whoever has not answered again and again, and nobody once it is open', () => {
    const { talk, recalled, told } = setUp({ voters: [[1, 2, 3, 4, 5]] })
    talk.tick(0)
    assert.deepEqual(told(), ['2 recall 10 77', '3 recall 10 77', '4 recall 10 77', '5 recall 10 77'])
    talk.tick(100)
    assert.deepEqual(told(), [])
    recalled(3, 10)
    talk.tick(200)
    assert.deepEqual(told(), ['2 recall 10 77', '4 recall 10 77', '5 recall 10 77'])
    recalled(4, 10)
    talk.tick(400)
    assert.ok(!told().some((message) => message.includes('recall')))
  })

  it('needs a majority of each membership that governs an open slot', () => {
    const { talk, recalled } = setUp({
      voters: [
        [1, 2, 3],
        [1, 4, 5],
      ],
    })
    recalled(2, 0)
    recalled(3, 0)
    assert.equal(talk.isOpen, false)
    recalled(4, 0)
    assert.equal(talk.isOpen, true)
  })

  it('counts a learner for nothing in its own question', () => {
    const { talk, recalled } = setUp({ self: 9, voters: [[1, 2, 3]] })
    recalled(1, 0)
    assert.equal(talk.isOpen, false)
    recalled(2, 0)
    assert.equal(talk.isOpen, true)
  })

  it('is open for a single member', () => {
    assert.equal(setUp({ voters: [[1]] }).talk.isOpen, true)
    assert.equal(setUp({ voters: [[1, 2]] }).talk.isOpen, false)
  })

  it('does not hear answers to the node that was there before it', () => {
    const { talk, recalled } = setUp()
    const stale = (writeNumber: number) => talk.onMessage(2, { kind: 'recalled', writeNumber, recallId: 76 }, 'dir-2')
    stale(10)
    assert.equal(talk.isOpen, false)
    stale(11)
    recalled(2, 10)
    assert.equal(talk.isOpen, true)
  })

  it('stops a node on an older copy, and names both writes and the remedy; also by a late answer', () => {
    const refused = {
      name: 'HaltError',
      code: 'OLDER_COPY',
      message: /ends with write 10, but node 3 .* write 11.*newest copy.*replace this member/,
      remedies: [{ code: 'REPLACE_MEMBER', nodeId: 1 }],
    }
    const { recalled } = setUp()
    assert.throws(() => recalled(3, 11), refused)
    const open = setUp()
    open.recalled(2, 10)
    assert.throws(() => open.recalled(3, 11), refused)
  })
})

const skipped = (appliedUpTo: number, ...slots: number[]): HostMessage => ({ kind: 'skippedSlots', appliedUpTo, slots })

describe('skipped slots', () => {
  it('are told to all others by who has any and whose gate is open, at each look', () => {
    const none = setUp({ voters: [[1]] })
    none.talk.skipWatch.tick(0)
    assert.deepEqual(none.told(), [])
    const shut = setUp({ voters: [[1, 2, 3]], skippedSlots: [7] })
    shut.talk.skipWatch.tick(0)
    assert.deepEqual(shut.told(), [])
    const some = setUp({ voters: [[1]], skippedSlots: [7] })
    some.talk.skipWatch.tick(0)
    assert.deepEqual(some.told(), ['2 skippedSlots 20 7', '3 skippedSlots 20 7'])
  })

  it('stop a node that has carried out what a majority has skipped, or the other way round', () => {
    for (const { own, theirs, here } of [
      { own: [], theirs: [7], here: /slot 7 was carried out here, but skipped on the nodes 2, 3/ },
      { own: [7], theirs: [], here: /slot 7 was skipped here, but carried out on the nodes 2, 3/ },
    ]) {
      const { talk } = setUp({ skippedSlots: own })
      talk.onMessage(2, skipped(20, ...theirs), 'dir-2')
      talk.onMessage(2, skipped(21, ...theirs), 'dir-2')
      assert.throws(() => talk.onMessage(3, skipped(20, ...theirs), 'dir-3'), {
        code: 'STATE_DIVERGED',
        message: here,
        remedies: [{ code: 'REPLACE_MEMBER', nodeId: 1 }],
      })
    }
  })

  it('that one side has not come to yet say nothing; who tells of one that was carried out here is told so', () => {
    const { talk, told } = setUp()
    for (const from of [2, 3]) talk.onMessage(from, skipped(30, 21), `dir-${from}`)
    assert.deepEqual(told(), [])
    talk.onMessage(2, skipped(30, 20), 'dir-2')
    assert.deepEqual(told(), ['2 skippedSlots 20 '])
  })
})

describe('marks', () => {
  it('tell what was heard of a directory, by its id, and never less', () => {
    const { talk, told } = setUp({ marks: [['dir-2', 7]] })
    const recall = (from: NodeId, dataDirId: string, writeNumber: number) =>
      talk.onMessage(from, { kind: 'recall', writeNumber, recallId: 5 }, dataDirId)
    recall(2, 'dir-2', 5)
    talk.onMessage(2, mark('dir-2', 9), 'dir-2')
    talk.onMessage(2, mark('dir-2', 8), 'dir-2')
    recall(2, 'dir-2', 9)
    recall(2, 'dir-2-new', 1)
    recall(3, 'dir-3', 4)
    recall(3, 'dir-3', 4)
    assert.deepEqual(told(), ['2 recalled 7 5', '2 recalled 9 5', '2 recalled 0 5', '3 recalled 0 5', '3 recalled 4 5'])
  })

  it('go to every other member once a second, when this node has written', () => {
    const { talk, storage, recalled, told } = setUp()
    recalled(2, 10)
    talk.tick(0)
    assert.deepEqual(told(), ['2 mark dir-1:10', '3 mark dir-1:10'])
    storage.lastWrite = 11
    talk.tick(999)
    assert.deepEqual(told(), [])
    talk.tick(1_000)
    assert.deepEqual(told(), ['2 mark dir-1:11', '3 mark dir-1:11'])
    talk.tick(2_000)
    assert.deepEqual(told(), [])
  })

  it('are passed on when they are news, and all of them to who has just started, or has just become a member', () => {
    const { talk, known, recalled, told } = setUp({ marks: [['dir-3', 4]] })
    recalled(2, 10)
    talk.tick(0)
    assert.deepEqual(told(), ['2 mark dir-1:10 dir-3:4', '3 mark dir-1:10 dir-3:4'])
    talk.onMessage(3, mark('dir-2', 7), 'dir-3')
    talk.tick(1_000)
    assert.deepEqual(told(), ['2 mark dir-2:7', '3 mark dir-2:7'])
    known.members = [...known.members, member(4)]
    talk.onMessage(
      2,
      { kind: 'roster', clusterId: 'c', memberships: [], announcements: [], asks: true, levelMin: 1, levelMax: 1, version: '' },
      'dir-2',
    )
    talk.tick(2_000)
    assert.deepEqual(told(), ['2 mark dir-1:10 dir-3:4 dir-2:7', '4 mark dir-1:10 dir-3:4 dir-2:7'])
  })

  it('are noted in the storage when there is news, of members only', () => {
    const { talk, noted, known, recalled } = setUp({ marks: [['dir-3', 2]] })
    recalled(2, 10)
    talk.tick(0)
    assert.deepEqual(noted, [])
    talk.onMessage(2, mark('dir-2', 5), 'dir-2')
    talk.onMessage(2, mark('dir-of-a-stranger', 5), 'dir-2')
    talk.tick(1_000)
    talk.tick(2_000)
    assert.deepEqual(noted, [
      [
        ['dir-3', 2],
        ['dir-2', 5],
      ],
    ])
    known.members = [member(1), member(2)]
    talk.onMessage(2, mark('dir-2', 6), 'dir-2')
    talk.tick(3_000)
    assert.deepEqual(noted[1], [['dir-2', 6]])
  })
})

const report = (t: ReturnType<typeof setUp>, from: NodeId, slot: number, stateDigest: number) =>
  t.talk.onMessage(from, { kind: 'digest', slot, stateDigest }, `dir-${from}`)

describe('the comparison of digests', () => {
  it('tells every other member the digest at each boundary', () => {
    const t = setUp()
    t.talk.onBoundary(100, 7)
    assert.deepEqual(t.told(), ['2 digest 100 7', '3 digest 100 7'])
  })

  it('stops a node that a majority of the voters contradicts, whoever is first', () => {
    const diverged = {
      name: 'HaltError',
      code: 'STATE_DIVERGED',
      message: /slot 100 has the digest 00000007 here, but 00000008 on the nodes 2, 3/,
    }
    const later = setUp()
    report(later, 2, 100, 8)
    report(later, 3, 100, 8)
    assert.throws(() => later.talk.onBoundary(100, 7), diverged)
    const earlier = setUp()
    earlier.talk.onBoundary(100, 7)
    report(earlier, 2, 100, 8)
    assert.throws(() => report(earlier, 3, 100, 8), diverged)
  })

  it('does not stop one that is contradicted by a minority, by two that differ, or by those who do not vote', () => {
    const t = setUp({ members: [...[1, 2, 3, 4, 5].map((id) => member(id)), member(6, 0), member(7, 0)] })
    t.talk.onBoundary(100, 7)
    report(t, 2, 100, 8)
    report(t, 3, 100, 8)
    report(t, 4, 100, 9)
    report(t, 5, 100, 7)
    report(t, 6, 100, 8)
    report(t, 7, 100, 8)
    report(t, 8, 100, 8)
    assert.throws(() => report(t, 5, 100, 8), { code: 'STATE_DIVERGED' })
  })

  it('remembers the last boundaries only', () => {
    const t = setUp()
    for (let slot = 1; slot <= 100; slot++) t.talk.onBoundary(slot, 7)
    for (const slot of [1, 36]) for (const from of [2, 3]) report(t, from, slot, 8)
    report(t, 2, 37, 8)
    assert.throws(() => report(t, 3, 37, 8), { code: 'STATE_DIVERGED' })
    const other = setUp()
    for (let slot = 1; slot <= 100; slot++) for (const from of [2, 3]) report(other, from, slot, 8)
    for (const slot of [1, 36]) other.talk.onBoundary(slot, 7)
    assert.throws(() => other.talk.onBoundary(37, 7), { code: 'STATE_DIVERGED' })
  })
})
