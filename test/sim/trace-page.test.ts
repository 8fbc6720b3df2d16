import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { Script } from 'node:vm'
import { Filters, parseSlots, search } from '../../assets/trace/filters.js'
import { type Layout, layOut, lineOf, stepUnder } from '../../assets/trace/layout.js'
import { ON_ITS_WAY, Trace } from '../../assets/trace/model.js'
import { View } from '../../assets/trace/view.js'
import type { SeedResult } from '../../src/sim/runs/run-seed.js'
import type { TraceData } from '../../src/sim/trace/trace-data.js'
import type { TracedEvent, TraceEvent } from '../../src/sim/trace/trace-events.js'
import { type TracedRun, tracePage } from '../../src/sim/trace/trace-page.js'
import { tellEvent } from '../../src/sim/trace/trace-words.js'
import { tracedRun } from '../../src/sim/trace/traced-run.js'
import { eventfulWorld } from '../support/traced-world.js'

const DATA_ELEMENT = /<script type="application\/json" id="trace">(.*?)<\/script>/s

function dataOf(page: string): TraceData {
  const json = DATA_ELEMENT.exec(page)?.[1]
  assert.ok(json !== undefined, 'the page has data')
  return JSON.parse(json) as TraceData
}

function runOf(events: readonly TraceEvent[], others: Partial<TracedRun> = {}): TracedRun {
  const traced = events.map((event, i): TracedEvent => ({ step: i + 1, atUs: 100 * i, event }))
  return {
    title: 'made up',
    replay: 'none',
    facts: [],
    plan: {},
    schedule: [],
    faultTotals: [],
    nodeIds: [1, 2, 3],
    events: traced,
    ...others,
  }
}

function traceOf(events: readonly TraceEvent[]): Trace {
  return new Trace(dataOf(tracePage(runOf(events))))
}

describe('the trace page', () => {
  let result: SeedResult
  let page: string
  let trace: Trace

  before(async () => {
    result = await eventfulWorld()
    page = tracePage(tracedRun(result, 'synod sim --seed 1'))
    trace = new Trace(dataOf(page))
  })

  it('is of a world in which enough happens for these tests', () => {
    assert.equal(result.failure, undefined)
    const seen = new Set<string>()
    for (const { event } of result.events) {
      seen.add(event.kind)
      if ('fate' in event) seen.add(event.fate)
      if (event.kind === 'writeEnded') seen.add(event.outcome)
    }
    const expected = ['crashed', 'paused', 'woke', 'halted', 'stopAsked', 'stopped', 'phase', 'asked', 'answered', 'faultEnded']
    const fates = ['delivered', 'waits', 'lost', 'cut', 'down', 'synced', 'failed']
    for (const what of [...expected, ...fates]) assert.ok(seen.has(what), what)
  })

  it('tells every event of the run, with its time and in its words', () => {
    assert.equal(trace.count, result.events.length)
    for (const { step, atUs, event } of result.events) {
      assert.equal(trace.atUs[step], atUs)
      assert.equal(trace.kindOf(step), event.kind)
      if (event.kind === 'sent' || event.kind === 'ended') {
        const { from, to, message } = event
        assert.ok(trace.wordsOf(step).startsWith(`n${from} → n${to}: ${message.kind}`), trace.wordsOf(step))
      } else if (event.kind !== 'writeEnded') {
        assert.equal(trace.wordsOf(step), tellEvent(event))
      }
    }
  })

  it('knows of each message where it was sent, how it ended, and when', () => {
    const sent = result.events.filter(({ event }) => event.kind === 'sent')
    assert.equal(trace.messages.length, sent.length)
    for (const { step, atUs, event } of result.events) {
      if (event.kind !== 'ended') continue
      const message = trace.messageAt(step)
      assert.ok(message !== undefined, 'there is such a message')
      assert.equal(message.step, event.sentStep)
      assert.equal(message.fate, event.fate)
      if (event.fate !== 'lost') assert.equal(message.toUs, atUs)
    }
    const onItsWay = trace.messages.filter((message) => message.fate === ON_ITS_WAY)
    assert.equal(onItsWay.length, sent.length - result.events.filter(({ event }) => event.kind === 'ended').length)
  })

  it('knows the state of each node after every step', () => {
    const expected = new Map([1, 2, 3, 4, 5].map((id) => [id, { promised: 0, decidedUpTo: 0, appliedUpTo: 0, isUp: false }]))
    for (const { step, event } of result.events) {
      const state = expected.get('node' in event ? event.node : 0)
      if (state !== undefined) fold(state, event)
      if (step % 97 !== 0 && step !== trace.count) continue
      trace.states.after(step).forEach((now, i) => {
        const { promised, ...rest } = expected.get(i + 1) ?? assert.fail()
        const isUp = now.condition === 'up' || now.condition === 'paused'
        const found = { decidedUpTo: now.decidedUpTo, appliedUpTo: now.appliedUpTo, isUp }
        assert.deepEqual(found, rest, `n${i + 1} after step ${step}`)
        const [round, nodeId] = trace.data.ballots[now.promised - 1] ?? [0, 0]
        assert.equal(round * 65_536 + nodeId, promised)
      })
    }
  })

  it('needs nothing but itself', () => {
    assert.match(page, /^<!doctype html>/)
    assert.match(
      page,
      /Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'/,
    )
    const withoutData = page.replace(DATA_ELEMENT, '')
    assert.doesNotMatch(withoutData, /https?:|\bsrc=|@import ["'u]|url\(|\bfetch\(|XMLHttpRequest|WebSocket|sendBeacon/)
    for (const [, address] of withoutData.matchAll(/\bhref="([^"]*)"/g)) assert.equal(address, 'data:,')
  })

  it('has one script, which is whole and uses each name once', () => {
    const script = /<script type="module">(.*)<\/script>/s.exec(page)?.[1] ?? ''
    assert.doesNotMatch(script, /^(import|export)\b/m)
    // A block in strict mode: a name that is declared twice is an error in it, as it is in a module.
    assert.doesNotThrow(() => new Script(`'use strict'; {${script}}`))
    assert.throws(() => new Script(`'use strict'; {${script}; class Trace {}}`), SyntaxError)
  })

  it('takes less than 100 bytes an event, and some 100 kB besides', () => {
    assert.ok(page.length < 150_000 + 100 * trace.count, `${page.length} bytes for ${trace.count} events`)
  })

  it('shows only messages that are in view', () => {
    // Others were sent after the longest one, and had arrived long before this.
    const lastUs = Math.max(...trace.messages.map(({ toUs }) => toUs))
    const longest = trace.messages
      .filter(({ fate, toUs }) => fate === 'delivered' && toUs < lastUs / 2)
      .reduce((a, b) => (b.toUs - b.fromUs > a.toUs - a.fromUs ? b : a))
    const [from, to] = [longest.toUs - 5_000, longest.toUs + 1_000_000]
    const seen: number[] = []
    trace.forEachMessage(from, to, (message) => seen.push(message.step))
    const expected = trace.messages.filter((message) => message.fromUs <= to && message.toUs >= from).map(({ step }) => step)
    assert.ok(expected.length > 10, `${expected.length} in view`)
    assert.deepEqual(seen, expected)
  })

  it('filters by kind, fate, node, ballot and slot, and counts what each choice would show', () => {
    const filters = new Filters(trace)
    assert.equal(filters.counts.shown, trace.count)
    const heartbeat = trace.data.types.findIndex(({ name }) => name === 'heartbeat')
    const heartbeats = filters.counts.types[heartbeat] ?? 0
    for (const i of trace.data.types.keys()) if (i !== heartbeat) filters.hiddenTypes.add(i)
    assert.equal(filters.recount().shown, heartbeats)
    assert.ok(
      filters.counts.types.some((count, i) => i !== heartbeat && count > 0),
      'what else there is to show is still counted',
    )
    for (const fate of trace.data.fates) if (fate !== 'cut') filters.hiddenFates.add(fate)
    filters.hiddenFates.add(ON_ITS_WAY)
    const cut = result.events.filter(
      ({ event: e }) => e.kind === 'ended' && e.message.kind === 'heartbeat' && e.fate === 'cut',
    ).length
    assert.ok(cut > 0, 'some are cut')
    assert.equal(filters.recount().shown, 2 * cut, 'both ends of each')
    filters.clear()
    for (const lane of trace.laneNames.keys()) if (lane !== 2) filters.hiddenLanes.add(lane)
    filters.slots = { first: 10, last: 12 }
    filters.recount()
    for (let step = 1; step <= trace.count; step++) {
      if (filters.isShown[step] !== 1) continue
      assert.ok(trace.lane[step] === 2 || trace.peer[step] === 2, trace.wordsOf(step))
      assert.ok((trace.slot[step] ?? 0) <= 12 && (trace.lastSlot[step] ?? 0) >= 10, trace.wordsOf(step))
    }
    const first = filters.neighbour(0, 1)
    assert.equal(filters.isShown[first], 1)
    assert.equal(filters.neighbour(first, -1), first, 'there is none before the first')
    assert.equal(filters.neighbour(filters.neighbour(first, 1), -1), first)
  })

  it('finds events by beginnings of words, whole numbers, and what is quoted', () => {
    const filters = new Filters(trace)
    const crashes = search(filters, 'n2 crash').filter((step) => trace.kindOf(step) === 'crashed')
    assert.equal(crashes.length, result.events.filter(({ event: e }) => e.kind === 'crashed' && e.node === 2).length)
    for (const step of search(filters, 'accept "slot 1"')) assert.match(trace.wordsOf(step), /accept.*slot 1/)
    const told = search(filters, 'slot 4')
    assert.ok(told.length > 0 && told.every((step) => /\b4\b/.test(trace.wordsOf(step))), '42 is not 4')
    assert.ok(
      search(filters, '"slot 4"').some((step) => !told.includes(step)),
      'what is quoted may go on',
    )
    assert.deepEqual(search(filters, '  '), [])
    assert.deepEqual(search(filters, 'a(b[c'), [])
  })

  it('hits a message with the pointer: its sending near its beginning, its end near its end', () => {
    const view = new View(trace.endUs)
    view.resize({ left: 70, width: 900 })
    const layout: Layout = layOut(trace, 600)
    const message = trace.messages.find((m) => m.fate === 'delivered' && m.toUs - m.fromUs > 500 && Math.abs(m.from - m.to) === 1)
    assert.ok(message !== undefined, 'there is such a message')
    view.show(message.fromUs - 500, message.toUs + 500)
    const { isShown } = new Filters(trace)
    const alone = isShown.map((_, step) => (step === message.step || step === message.endStep ? 1 : 0))
    const { x1, y1, x2, y2 } = lineOf(message, view, layout)
    const at = (part: number) => ({ x: x1 + part * (x2 - x1), y: y1 + part * (y2 - y1) })
    const scene = { trace, view, layout, isShown: alone }
    assert.equal(stepUnder(at(0.25), scene), message.step)
    assert.equal(stepUnder(at(0.75), scene), message.endStep)
    assert.equal(stepUnder({ x: x1, y: y1 + (y2 > y1 ? -40 : 40) }, scene), 0)
  })
})

function fold(state: { promised: number; decidedUpTo: number; appliedUpTo: number; isUp: boolean }, event: TraceEvent): void {
  if (event.kind === 'recovered') {
    state.promised = event.promised
    state.decidedUpTo = event.decidedUpTo
    state.appliedUpTo = event.appliedUpTo
  } else if (event.kind === 'promised') state.promised = event.ballot
  else if (event.kind === 'decided') state.decidedUpTo = event.upTo
  else if (event.kind === 'applied') state.appliedUpTo = event.slot
  else if (event.kind === 'started') state.isUp = true
  else if (event.kind === 'crashed' || event.kind === 'halted' || event.kind === 'stopped' || event.kind === 'directoryLost') {
    state.isUp = false
  }
}

const inWords = () => 'in words'

const HOSTILE = '</script><script>alert(1)</script><!-- $& {{style}} \u2028 "quoted" & more'

describe('what a trace page shows of single events', () => {
  it('no text of the run is read as HTML', () => {
    const events: TraceEvent[] = [{ kind: 'note', text: HOSTILE }]
    const page = tracePage(
      runOf(events, { title: HOSTILE, replay: HOSTILE, facts: [[HOSTILE, HOSTILE]], plan: { [HOSTILE]: HOSTILE } }),
    )
    assert.equal(page.match(/<script/g)?.length, 2)
    assert.equal(page.match(/<\/script/g)?.length, 2)
    assert.equal(page.match(/<!--/g), null)
    const data = dataOf(page)
    assert.equal(data.title, HOSTILE)
    assert.deepEqual(data.facts, [[HOSTILE, HOSTILE]])
    assert.deepEqual(data.plan, [[HOSTILE, HOSTILE]])
    assert.deepEqual(data.words, [HOSTILE])
  })

  it('an empty run has a page, too', () => {
    const empty = traceOf([])
    assert.equal(empty.count, 0)
    assert.equal(new Filters(empty).counts.shown, 0)
    assert.equal(empty.states.after(0).length, 3)
  })

  it('says what was broken, and at which event', () => {
    const events: TraceEvent[] = [
      { kind: 'started', node: 1 },
      { kind: 'crashed', node: 1 },
      { kind: 'verdict', failure: 'node 1 forgot its promise in a restart', atStep: 2 },
    ]
    const { failure, failureStep } = dataOf(tracePage(runOf(events)))
    assert.equal(failure, 'node 1 forgot its promise in a restart')
    assert.equal(failureStep, 2)
  })

  it('a wrong answer that is found at the end is shown where it was given', () => {
    const answered = {
      kind: 'answered',
      client: 'client1',
      node: 1,
      slot: 3,
      result: new Uint8Array(0),
      outcome: inWords,
    } as const
    const events: TraceEvent[] = [
      { kind: 'asked', client: 'client1', request: 12, node: 1, attempt: 1, what: inWords },
      { ...answered, request: 12 },
      { ...answered, request: 1 },
      { kind: 'note', text: 'healed' },
      { kind: 'verdict', failure: 'request 12 of client1, read {}, was answered "old"', atStep: 4 },
    ]
    assert.equal(dataOf(tracePage(runOf(events))).failureStep, 2)
  })

  it('a node that is paused and then crashes is down until it starts; a client that dies is dead until it is back', () => {
    const trace = traceOf([
      { kind: 'started', node: 1 },
      { kind: 'paused', node: 1, clockStops: true },
      { kind: 'clientDied', client: 'client1' },
      { kind: 'crashed', node: 1 },
      { kind: 'started', node: 1 },
      { kind: 'clientBack', client: 'client1' },
      { kind: 'halted', node: 1, code: 'DAMAGED', message: 'slot 3' },
    ])
    const spans = (lane: number) => trace.lanes[lane]?.outages.map(({ label, step, endStep }) => [label, step, endStep])
    assert.deepEqual(spans(0), [
      ['not started', 0, 1],
      ['paused', 2, 4],
      ['down', 4, 5],
      ['halted', 7, 0],
    ])
    assert.deepEqual(spans(3), [['dead', 3, 6]])
  })

  it('a follower is shown in the colour of whom it follows', () => {
    const trace = traceOf([
      { kind: 'started', node: 2 },
      { kind: 'recovered', node: 2, promised: 0, decidedUpTo: 0, appliedUpTo: 0 },
      { kind: 'phase', node: 2, phase: 'following', ballot: 0 },
      { kind: 'promised', node: 2, ballot: 65_536 + 3 },
      { kind: 'phase', node: 2, phase: 'leading', ballot: 2 * 65_536 + 2 },
    ])
    const phases = trace.lanes[1]?.phases.map(({ label, ballot }) => [label, trace.laneOfBallot(ballot)])
    assert.deepEqual(phases, [
      ['starting', -1],
      ['joining', -1],
      ['following', -1],
      ['following', 2],
      ['leading', 1],
    ])
  })

  it('faults that overlap have rows of their own, and a row is used again', () => {
    const fault = {
      kind: 'faultBegun',
      fault: 'slowDisk',
      nodes: [1],
      detail: 'the disk of n1 is slow',
      isMomentary: false,
    } as const
    const trace = traceOf([
      fault,
      fault,
      { kind: 'faultEnded', begunStep: 1, fault: 'slowDisk' },
      { kind: 'note', text: '' },
      fault,
      { ...fault, isMomentary: true },
    ])
    assert.deepEqual(
      trace.faults.map(({ row, step, endStep }) => [row, step, endStep]),
      [
        [0, 1, 3],
        [1, 2, 0],
        [0, 5, 0],
        [2, 6, 6],
      ],
    )
  })

  it('slots are asked for as one or as two', () => {
    assert.deepEqual(parseSlots(' 12 '), { first: 12, last: 12 })
    assert.deepEqual(parseSlots('20-12'), { first: 12, last: 20 })
    for (const text of ['', 'x', '1-', '-3', '1-2-3', '1.5']) assert.equal(parseSlots(text), undefined)
  })

  it('zooming keeps what is under the pointer where it is, and never leaves the run', () => {
    const view = new View(4_000_000)
    view.resize({ left: 70, width: 1_000 })
    view.zoom(10, 1_000_000)
    const x = view.xOf(1_200_000)
    view.zoom(7, 1_200_000)
    assert.equal(view.xOf(1_200_000).toFixed(6), x.toFixed(6))
    assert.equal(view.usAt(x).toFixed(3), '1200000.000')
    view.zoom(1e9, 1_200_000)
    assert.ok(view.spanUs >= 40, `${view.spanUs} µs are in view`)
    view.panBy(-1e12)
    assert.ok(view.fromUs >= -0.011 * 4_000_000, `from ${view.fromUs}`)
    view.zoom(1e-9)
    assert.ok(view.toUs <= 1.011 * 4_000_000, `to ${view.toUs}`)
    view.show(500_000, 600_000)
    view.reveal(3_000_000)
    assert.deepEqual([view.isInView(3_000_000), view.spanUs], [true, 100_000])
  })
})
