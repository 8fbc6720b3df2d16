import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { credentials } from '@grpc/grpc-js'
import type { Client, SynodError } from '../../src/client/client.js'
import { BankServiceClient } from '../../src/gen/synod/bank/v1/bank.js'
import { LEVEL_MAX } from '../../src/replication/levels.js'
import { diagnose } from '../../src/storage/doctor/diagnose.js'
import { APPEND_PREFIX } from '../support/set-next-version.js'
import { Load, Nodes } from './nodes.js'

const NEXT = new URL('next-version.js', import.meta.url).href
const ALL = [1, 2, 3]
const NEXT_LEVEL = LEVEL_MAX + 1
const REFUSED = new RegExp(`the log is at level ${NEXT_LEVEL}, which version next has raised; this binary knows level`)

type Version = 'current' | 'next'

/** Three nodes of this version, and clients that never stop asking. */
async function setUp(t: TestContext) {
  const nodes = await Nodes.make(3)
  t.after(() => nodes.close())
  const startAs = (id: number, version: Version) =>
    nodes.start(id, ALL, version === 'next' ? { nodeArguments: [`--import=${NEXT}`] } : {})
  for (const id of ALL) startAs(id, 'current')
  const load = new Load(nodes.connect(...ALL), 2)
  await load.progress(20)
  /** Stops a node, and starts it with that version. */
  const restartAs = async (id: number, version: Version): Promise<void> => {
    await nodes.kill(id, 'SIGTERM')
    startAs(id, version)
    await nodes.untilLevel(...ALL)
    await load.progress(20)
  }
  return { nodes, load, startAs, restartAs, through: (id: number): Client => nodes.connect(id) }
}

function reasonOf(asked: Promise<unknown>): Promise<string> {
  return asked.then(
    () => assert.fail('it is refused'),
    ({ reason }: SynodError) => reason,
  )
}

/** Why a node refuses a withdrawal from an account that there is not: in a unary call, as the SDK finds words by itself. */
function sentenceOf(endpoint: string): Promise<string> {
  const client = new BankServiceClient(endpoint, credentials.createInsecure())
  return new Promise((resolve) => {
    client.withdraw({ withdrawalId: 'w-1', accountId: 'nobody', amount: 1n }, (error) => {
      client.close()
      resolve(error?.details ?? '')
    })
  })
}

describe('a cluster of two versions, the newer one with an operation more', { timeout: 400_000 }, () => {
  it('goes up and down under load until its level is raised, and then only up; both come to the same state', async (t) => {
    const { nodes, load, startAs, restartAs, through } = await setUp(t)
    await restartAs(1, 'next')
    const early = await nodes.run(ALL, 'cluster', 'upgrade', String(NEXT_LEVEL))
    assert.equal(early.code, 1)
    assert.match(
      early.stderr,
      new RegExp(
        `LEVEL_UNKNOWN_TO_MEMBER: .*node 2 knows levels 1 to ${LEVEL_MAX} \\(version \\d.*\\), not ${NEXT_LEVEL}; node 3 knows`,
      ),
    )

    // Below its level the new operation is no command, whatever a door lets through, and a sentence is each node's own.
    const append = (id: number, value: string) => through(id).kv.put(`${APPEND_PREFIX}word`, Buffer.from(value))
    assert.equal(await reasonOf(append(1, 'a')), 'INVALID_ARGUMENT')
    const sentences = await Promise.all([1, 2].map((id) => sentenceOf(nodes.endpoints(id))))
    assert.deepEqual(sentences, ['nobody has opened that account', 'withdrawal "w-1" is refused: there is no account "nobody"'])
    await restartAs(1, 'current')
    for (const id of ALL) await restartAs(id, 'next')
    await restartAs(2, 'current')
    assert.equal((await nodes.run(ALL, 'cluster', 'upgrade')).stdout, `the log is at level ${LEVEL_MAX}\n`)
    await restartAs(2, 'next')

    const raised = await nodes.run(ALL, 'cluster', 'upgrade', '--json')
    assert.equal((JSON.parse(raised.stdout) as { level: number }).level, NEXT_LEVEL, raised.stderr)
    await append(2, 'a')
    await append(3, 'b')
    const { pair } = await through(1).kv.get('word')
    assert.equal(Buffer.from(pair?.value ?? '').toString(), 'ab')

    await nodes.kill(2, 'SIGTERM')
    for (let start = 1; start <= 2; start++) {
      const { code, stderr } = await startAs(2, 'current').ended
      assert.deepEqual([code, REFUSED.test(stderr)], [4, true], stderr)
    }
    const { findings } = await diagnose(nodes.directory(2))
    assert.match(
      findings.map(({ code, what }) => `${code}: ${what}`).join(),
      new RegExp(`UNSUPPORTED_LEVEL: the log is at level ${NEXT_LEVEL}`),
    )
    startAs(2, 'next')
    await nodes.untilLevel(...ALL)
    const status = await nodes.run(ALL, 'status')
    assert.equal(status.stdout.match(/ 2 +\d+\.\d+\.\d+$/gm)?.length, 3, status.stdout)
    await load.progress(20)
    await load.stop()
    await nodes.untilLevel(...ALL)
  })
})
