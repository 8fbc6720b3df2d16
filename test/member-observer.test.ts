import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Counters, Durations, Events, Gauges, Observer } from '../src/member.js'
import { MemberCluster, until } from './member-cluster.js'

/** Keeps what it is told. */
class Recorder implements Observer {
  readonly events: { [Name in keyof Events]: { readonly name: Name; readonly fields: Events[Name] } }[keyof Events][] = []
  readonly counts = new Map<keyof Counters, number>()
  readonly gauges = new Map<keyof Gauges, number>()
  readonly durations = new Map<keyof Durations, number[]>()

  count(name: keyof Counters, by: number): void {
    this.counts.set(name, (this.counts.get(name) ?? 0) + by)
  }

  gauge(name: keyof Gauges, value: number): void {
    this.gauges.set(name, value)
  }

  duration(name: keyof Durations, ms: number): void {
    this.durations.set(name, [...(this.durations.get(name) ?? []), ms])
  }

  event<Name extends keyof Events>(name: Name, fields: Events[Name]): void {
    this.events.push({ name, fields } as (typeof this.events)[number])
  }

  all<Name extends keyof Events>(name: Name): Events[Name][] {
    return this.events.flatMap((event) => (event.name === name ? [event.fields as Events[Name]] : []))
  }
}

const THROWING: Observer = {
  count: () => assert.fail('of the count'),
  gauge: () => assert.fail('of the gauge'),
  duration: () => assert.fail('of the duration'),
  event: () => assert.fail('of the event'),
}

describe('the observer of a member', () => {
  it('hears of elections, decisions, writes, applied slots, refused calls and links', async (t) => {
    const cluster = await MemberCluster.create(t)
    const recorders = cluster.founders.map(() => new Recorder())
    const [first, second, third] = recorders as [Recorder, Recorder, Recorder]
    await Promise.all(recorders.map((observer, i) => cluster.start(i + 1, { observer })))
    const slots = 50
    await cluster.work(1, slots)
    await until('all applied', () => recorders.every((r) => r.all('slotApplied').length >= slots))

    for (const r of recorders) {
      assert.equal(r.all('recovered').length, 1)
      assert.equal(new Set(r.all('linkOpened').map((link) => link.peerId)).size, 2)
      assert.notEqual(r.all('leaderChanged').at(-1)?.leaderId, 0)
      assert.deepEqual(r.all('membershipChanged').at(-1)?.memberIds, [1, 2, 3])
      assert.ok(r.all('ballotPromised').length > 0)
    }
    const leaders = recorders.filter((r) => r.all('phaseChanged').at(-1)?.phase === 'leading')
    assert.equal(leaders.length, 1, 'one of them was elected')
    assert.ok(leaders[0]?.all('phaseChanged').some(({ phase }) => phase === 'scouting'))

    const applied = first.all('slotApplied').map(({ entry }) => entry.slot)
    assert.deepEqual(
      applied,
      Array.from(applied, (_, i) => i + 1),
      'each slot once, in order',
    )
    assert.ok((first.all('slotsDecided').at(-1)?.upTo ?? 0) >= slots)
    assert.equal(first.counts.get('slotsApplied'), applied.length)
    assert.ok((first.counts.get('commandsApplied') ?? 0) >= slots)
    assert.ok((first.counts.get('commandsProposed') ?? 0) >= slots)
    assert.ok((first.durations.get('decision')?.length ?? 0) >= slots)

    const begunCount = (): number => first.all('writeBegun').filter(({ records }) => records.length > 0).length
    assert.ok(begunCount() > 0)
    // One may be under way at any time.
    await until('each write has ended that was begun', () => first.durations.get('write')?.length === begunCount())
    assert.ok(first.all('writeEnded').length >= begunCount())
    assert.ok(first.all('checkpointCommitted').some(({ slot }) => slot >= 20))
    for (const name of ['bytesWritten', 'frameBytesSent', 'frameBytesReceived', 'slotsTrimmed'] as const)
      assert.ok((first.counts.get(name) ?? 0) > 0, name)
    await until('the gauges', () => (first.gauges.get('appliedUpTo') ?? 0) >= slots)

    await cluster.stop(3)
    await until('the lost links', () => first.all('linkLost').some((link) => link.peerId === 3))
    assert.deepEqual(third.all('halted'), [], 'it was asked to stop')
    await cluster.stop(2)
    await assert.rejects(cluster.memberOf(1).invoke(new Uint8Array(1), { timeoutMs: 300 }))
    const refused = first.all('callRefused').at(-1)
    assert.equal(refused?.call, 'invoke')
    assert.match(refused?.code ?? '', /^(NO_QUORUM|OUTCOME_UNKNOWN)$/)
    assert.deepEqual(second.all('callRefused'), [])
  })

  it('does not disturb the member, whatever it throws', async (t) => {
    const cluster = await MemberCluster.create(t)
    await Promise.all(cluster.founders.map(({ nodeId }) => cluster.start(nodeId, { observer: THROWING })))
    await cluster.work(1, 3)
    assert.match(await cluster.stateAt(1, 2, 3), /^3 commands/)
  })
})
