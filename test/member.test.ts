import assert from 'node:assert/strict'
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, describe, it } from 'node:test'
import { pino } from 'pino'
import { freePorts } from '../src/cli/ports.js'
import { Member, MemberError, type Restoration, type StateEntry, type StateMachine } from '../src/member.js'

const encode = (text: string): Uint8Array => new TextEncoder().encode(text)
const decode = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)

/** Appends each command to a text. */
class Journal implements StateMachine {
  #text = ''

  apply(command: Uint8Array): Uint8Array {
    this.#text += decode(command)
    return encode(String(this.#text.length))
  }

  query(): Uint8Array {
    return encode(this.#text)
  }

  changes(): Iterable<StateEntry> {
    return [{ key: 'text', value: this.query(), keyspace: 'state' }]
  }

  onCheckpointed(): void {}

  restore(): Restoration {
    this.#text = ''
    return {
      load: (entries) => {
        for (const { value } of entries) this.#text = decode(value ?? new Uint8Array())
      },
      finish: () => {},
    }
  }
}

async function textAt(member: Member): Promise<string> {
  return decode((await member.query(new Uint8Array())).result)
}

describe('members with a state machine of their own', () => {
  let directory: string
  let members: { nodeId: number; peerAddress: string; clientAddress: string }[]
  const running = new Map<number, Member>()

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'synod-member-'))
    members = (await freePorts(3)).map((port, i) => ({ nodeId: i + 1, peerAddress: `127.0.0.1:${port}`, clientAddress: '' }))
  })

  afterEach(async () => {
    await Promise.all([...running.values()].map((member) => member.stop()))
    running.clear()
  })

  after(() => rm(directory, { recursive: true }))

  async function start(nodeId: number, name = `n${nodeId}`, joins = false): Promise<Member> {
    const member = await Member.start({
      nodeId,
      directory: join(directory, name),
      listenAddress: members[nodeId - 1]?.peerAddress ?? '',
      members,
      join: joins,
      machine: new Journal(),
      initialCommands: [encode('seed ')],
      logger: pino({ level: 'silent' }),
    })
    running.set(nodeId, member)
    return member
  }

  it('carry out each command once, on whichever it is invoked, and keep it over restarts of all', async () => {
    const cluster = await Promise.all([1, 2, 3].map((nodeId) => start(nodeId)))
    for (const timeoutMs of [Number.NaN, -1, 0, 1e300, Number.POSITIVE_INFINITY, '5' as never]) {
      const calls = [cluster[0]?.invoke(encode('x'), { timeoutMs }), cluster[0]?.query(encode(''), { timeoutMs })]
      for (const call of calls)
        await assert.rejects(call ?? assert.fail(), /^RangeError: timeoutMs: must be a number of ms above 0/)
    }
    const turns = Array.from({ length: 10 }, () => cluster).flat()
    const answers = await Promise.all(turns.map((member) => member.invoke(encode('x'))))
    assert.equal(new Set(answers.map((a) => decode(a.result))).size, 30, 'every command had a place of its own')
    for (const member of cluster) assert.equal(await textAt(member), `seed ${'x'.repeat(30)}`)
    await Promise.all(cluster.map((member) => member.stop()))

    const again = await Promise.all([1, 2, 3].map((nodeId) => start(nodeId)))
    for (const member of again) assert.equal(await textAt(member), `seed ${'x'.repeat(30)}`)
    await again[0]?.invoke(encode('y'))
    for (const member of again) assert.equal(await textAt(member), `seed ${'x'.repeat(30)}y`)
    await assert.rejects(again[0]?.invoke(new Uint8Array((16 << 20) + 1)) ?? Promise.resolve(), RangeError)
    const digests = await Promise.all(again.map(async (m) => (await m.readIndex(), m.status().stateDigest)))
    assert.equal(new Set(digests).size, 1)
  })

  it('go on as two, and say NO_QUORUM or OUTCOME_UNKNOWN as one', async () => {
    await start(1)
    const second = await start(2)
    const { slot } = await second.invoke(encode('z'))
    assert.ok(slot > 0)
    await running.get(1)?.stop()
    running.delete(1)
    await assert.rejects(second.invoke(encode('never'), { timeoutMs: 1_500 }), (error: unknown) => {
      assert.ok(error instanceof MemberError)
      return error.code === 'NO_QUORUM' || error.code === 'OUTCOME_UNKNOWN'
    })
    await assert.rejects(second.readIndex({ timeoutMs: 300 }), (error: unknown) => {
      assert.ok(error instanceof MemberError)
      return error.code === 'NO_QUORUM'
    })
  })

  it('refuse a member that lost its data directory, which stops by itself and says why', async () => {
    await start(1)
    await start(2)
    const third = await start(3, 'n3-lost')
    const error = await third.failed
    assert.match(error.message, /node 3 .* votes from data directory .* lost or swapped/s)
    await assert.rejects(third.invoke(encode('no')), { code: 'STOPPED' })
    assert.equal(third.status().hasQuorum, false)
  })

  it('do not let a copy of a data directory vote as another member', async () => {
    await cp(join(directory, 'n1'), join(directory, 'n2-copy'), { recursive: true })
    await assert.rejects(start(2, 'n2-copy'), { code: 'FOREIGN' })
  })

  it('refuse options that do not name themselves, or nobody to join', async () => {
    const all = members
    members = all.slice(1)
    await assert.rejects(start(1), { name: 'RangeError', message: /node 1, this one, is not among them/ })
    members = all.slice(0, 1)
    await assert.rejects(start(1, 'n1', true), { name: 'RangeError', message: /a member of the cluster must be listed, too/ })
    members = all
  })

  it('say which address is taken, and let go of the data directory', async () => {
    await start(1)
    const taken = members[0]?.peerAddress ?? ''
    members[1] = { nodeId: 2, peerAddress: taken, clientAddress: '' }
    await assert.rejects(start(2), (error: Error) => error.message.includes(taken))
    members[1] = { nodeId: 2, peerAddress: `127.0.0.1:${(await freePorts(1))[0]}`, clientAddress: '' }
    await start(2)
  })
})
