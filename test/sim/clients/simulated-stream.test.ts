import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { StreamPurpose } from '../../../src/client/session-port.js'
import { ConnectRequest, type Request } from '../../../src/gen/synod/session/v1/session.js'
import type { SessionDialogue } from '../../../src/server/session-dialogue.js'
import { Violation } from '../../../src/sim/checkers/violation.js'
import { SimulatedStream } from '../../../src/sim/clients/simulated-stream.js'
import type { ClientPort, StreamOutlet } from '../../../src/sim/cluster/client-port.js'
import { Scheduler } from '../../../src/sim/cluster/scheduler.js'
import { Random } from '../../../src/sim/random.js'
import { TOKEN } from '../../support/token.js'

const NEW_SESSION: StreamPurpose = { session: undefined }

/** A stream to a node that only records frames. */
class Ends {
  readonly scheduler = new Scheduler()
  /** Everything that each end has heard, in order. */
  readonly client: string[] = []
  readonly node: string[] = []
  outlet: StreamOutlet | undefined
  readonly stream: SimulatedStream

  constructor({
    lossRate = 0,
    isUp = true,
    purpose = NEW_SESSION,
  }: { lossRate?: number; isUp?: boolean; purpose?: StreamPurpose } = {}) {
    const dialogue = {
      onFrame: (bytes: Uint8Array) => this.node.push(...told(ConnectRequest.decode(bytes))),
      onBroken: () => this.node.push('broken'),
      onDrain: () => this.node.push('drained'),
      finish: () => this.node.push('finished'),
    }
    const node = {
      id: 1,
      acceptStream: (outlet: StreamOutlet) => {
        this.outlet = outlet
        return isUp ? { input: (run: (one: SessionDialogue) => void) => run(dialogue as unknown as SessionDialogue) } : undefined
      },
    }
    this.stream = new SimulatedStream(
      node as unknown as ClientPort,
      {
        endpoint: 'n1:7100',
        purpose,
        events: {
          onWelcome: ({ clientId }) => this.client.push(`welcome ${clientId}`),
          onAnswers: ({ answers }) => this.client.push(`answers ${answers.map((answer) => answer.requestNumber).join()}`),
          onDrain: () => this.client.push('drained'),
          onEnd: ({ reason }) => this.client.push(reason),
        },
      },
      {
        quality: () => ({ delayMsMean: 5, lossRate }),
        random: new Random(1),
        scheduler: this.scheduler,
        onLoss: () => undefined,
        watcher: {
          onWelcome: () => undefined,
          onSent: () => undefined,
          onStalled: () => this.client.push('stalled'),
          onAnswer: (_node, { requestNumber }, _answer, isLate) => isLate && this.client.push(`late ${requestNumber}`),
        },
      },
    )
  }

  /** Lets everything under way happen. */
  run(): void {
    while (this.scheduler.step(this.scheduler.nowMs + 60_000));
  }

  answer(requestNumber: number): void {
    const answer = { requestNumber, query: false, slot: 1, result: new Uint8Array(0) }
    this.outlet?.write({ frame: { $case: 'answers', value: { answers: [answer] } } }, () => undefined)
  }
}

function told({ frame }: ConnectRequest): string[] {
  if (frame?.$case !== 'requests') return [`hello ${frame?.value.clientId}`]
  return frame.value.requests.map(({ requestNumber }) => `request ${requestNumber}`)
}

function command(requestNumber: number): Request {
  return { requestNumber, body: { $case: 'command', value: new Uint8Array(0) } }
}

test('frames arrive in order, in both directions, and a sender waits for room', () => {
  const ends = new Ends({ purpose: { session: { clientId: 7, token: TOKEN } } })
  for (let n = 1; n <= 6; n++) ends.stream.send({ firstUnacknowledged: 1, requests: [command(n)] })
  assert.equal(ends.stream.canSend, false)
  ends.run()
  assert.deepEqual(ends.node, ['hello 7', ...[1, 2, 3, 4, 5, 6].map((n) => `request ${n}`)])
  assert.deepEqual(ends.client, ['drained'])
  assert.equal(ends.stream.canSend, true)
  for (const n of [3, 1, 2]) ends.answer(n)
  ends.run()
  assert.deepEqual(ends.client, ['drained', 'answers 3', 'answers 1', 'answers 2'])
})

test('a node that does not read gets the frames once it does', () => {
  const ends = new Ends()
  ends.run()
  ends.outlet?.pause()
  ends.stream.send({ firstUnacknowledged: 1, requests: [command(1), command(2)] })
  ends.run()
  assert.deepEqual(ends.node, ['hello 0'])
  ends.outlet?.resume()
  assert.deepEqual(ends.node, ['hello 0', 'request 1', 'request 2'])
})

test('a client that has left hears nothing, but its watcher does; the node gets its frames, and then hears that it has left', () => {
  const ends = new Ends()
  ends.run()
  ends.stream.send({ firstUnacknowledged: 1, requests: [command(1)] })
  ends.stream.destroy()
  ends.run()
  ends.answer(1)
  ends.run()
  assert.deepEqual(ends.node, ['hello 0', 'request 1', 'broken'])
  assert.deepEqual(ends.client, ['stalled', 'late 1'])
})

test('a client hears that no process listens, that the process has died, and that the node has ended the stream', () => {
  const down = new Ends({ isUp: false })
  down.run()
  assert.deepEqual(down.client, ['UNREACHABLE'])
  const dead = new Ends()
  dead.run()
  dead.outlet?.onDied()
  dead.run()
  assert.deepEqual([dead.client, dead.stream.canSend], [['UNREACHABLE'], false])
  const ended = new Ends()
  ended.run()
  ended.outlet?.end()
  ended.run()
  assert.deepEqual(ended.client, ['UNREACHABLE'])
})

test('a stream that loses a frame breaks for both ends, or falls silent; once healed, it is found to be broken', () => {
  const ends = new Ends({ lossRate: 1 })
  ends.run()
  ends.stream.heal()
  ends.run()
  assert.deepEqual(ends.client, ['UNREACHABLE'])
  assert.deepEqual(
    ends.node.filter((what) => what !== 'broken'),
    [],
  )
})

test('an answer to no request is a violation', () => {
  const ends = new Ends()
  ends.run()
  ends.answer(1)
  assert.throws(() => ends.run(), Violation)
})
