import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { it } from 'node:test'
import { pino } from 'pino'
import { freePorts } from '../src/cli/ports.js'
import { Member, type Moment, type Restoration, type StateEntry, type StateMachine } from '../src/member.js'

/** Notes at which level each command comes; a version of it knows levels up to a highest one. */
class Levels implements StateMachine {
  readonly levelMax: number
  #noted = ''

  constructor(levelMax: number) {
    this.levelMax = levelMax
  }

  apply(_command: Uint8Array, { level }: Moment): Uint8Array {
    this.#noted += `${level} `
    return Buffer.from(this.#noted)
  }

  query(): Uint8Array {
    return Buffer.from(this.#noted)
  }

  changes(): Iterable<StateEntry> {
    return [{ key: 'noted', value: this.query(), keyspace: 'state' }]
  }

  onCheckpointed(): void {}

  restore(): Restoration {
    this.#noted = ''
    return {
      load: (entries) => {
        for (const { value } of entries) this.#noted = Buffer.from(value ?? '').toString()
      },
      finish: () => {},
    }
  }
}

async function invoke(member: Member): Promise<string> {
  return Buffer.from((await member.invoke(new Uint8Array(1))).result).toString()
}

it("a state machine of one's own begins at the highest level that it knows, is raised by its member, and never goes back", async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'synod-levels-'))
  t.after(() => rm(directory, { recursive: true }))
  const [port] = await freePorts(1)
  const listenAddress = `127.0.0.1:${port}`
  const members = [{ nodeId: 1, peerAddress: listenAddress, clientAddress: '' }]
  const logger = pino({ level: 'silent' })
  const start = (levelMax: number): Promise<Member> => {
    const machine = new Levels(levelMax)
    return Member.start({ nodeId: 1, directory, listenAddress, members, machine, logger, version: `${levelMax}.0` })
  }
  const first = await start(2)
  assert.equal(await invoke(first), '2 ')
  await assert.rejects(first.raiseLevel(3), {
    code: 'LEVEL_UNKNOWN_TO_MEMBER',
    message: /node 1 knows levels 1 to 2 \(version 2\.0\), not 3/,
  })
  await assert.rejects(first.raiseLevel(-1), RangeError)
  await first.stop()

  const second = await start(3)
  assert.equal(await invoke(second), '2 2 ')
  const { slot, level } = await second.raiseLevel(0)
  assert.deepEqual([level, second.status().level, slot <= second.status().appliedUpTo], [3, 3, true])
  assert.equal((await second.raiseLevel(2)).level, 3)
  assert.equal(await invoke(second), '2 2 3 ')
  await second.stop()

  await assert.rejects(start(2), { code: 'UNSUPPORTED_LEVEL', message: /at level 3, which version 3\.0 has raised/ })
  const third = await start(4)
  assert.equal(await invoke(third), '2 2 3 3 ')
  await third.stop()
})
