// A counter on three members, in 70 lines: one's own deterministic state machine, replicated by Synod.
//
//   npx tsx examples/replicated-counter.ts
//
// Three members in one process here; in earnest, one process each, with the same `members` list.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { Member, type Restoration, type StateEntry, type StateMachine } from '../src/member.js'

/** A command is a number in decimal; its result, and that of every query, is the sum so far. */
class Counter implements StateMachine {
  #sum = 0n

  apply(command: Uint8Array): Uint8Array {
    const text = new TextDecoder().decode(command)
    if (/^-?\d{1,15}$/.test(text)) this.#sum += BigInt(text)
    return this.query()
  }

  query(): Uint8Array {
    return new TextEncoder().encode(String(this.#sum))
  }

  changes(): Iterable<StateEntry> {
    return [{ key: 'sum', value: this.query(), keyspace: 'state' }]
  }

  onCheckpointed(): void {}

  restore(): Restoration {
    this.#sum = 0n
    return {
      load: (entries) => {
        for (const { value } of entries) this.#sum = BigInt(new TextDecoder().decode(value))
      },
      finish: () => {},
    }
  }
}

const directory = await mkdtemp(join(tmpdir(), 'synod-counter-'))
const members = [1, 2, 3].map((nodeId) => ({
  nodeId,
  peerAddress: `127.0.0.1:${7300 + nodeId}`,
  clientAddress: '',
}))
const cluster = await Promise.all(
  members.map(({ nodeId, peerAddress }) =>
    Member.start({
      nodeId,
      directory: join(directory, `n${nodeId}`),
      listenAddress: peerAddress,
      members,
      machine: new Counter(),
      logger: pino({ level: 'warn' }, pino.destination(2)),
    }),
  ),
)

// Any member takes any command; each is carried out once, in one order, on all of them.
const commands = Array.from({ length: 300 }, (_, i) => new TextEncoder().encode(String(i)))
await Promise.all(commands.map((command, i) => cluster[i % 3]?.invoke(command)))
for (const member of cluster) {
  const { slot, result } = await member.query(new Uint8Array())
  console.log(`node ${member.status().nodeId}: ${new TextDecoder().decode(result)} as of slot ${slot}`)
}

await Promise.all(cluster.map((member) => member.stop()))
await rm(directory, { recursive: true })
