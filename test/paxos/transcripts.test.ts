import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { test } from 'node:test'
import { Cluster } from './cluster.js'

// Transcripts of three nodes, line by line, in transcripts/*.txt. UPDATE_TRANSCRIPTS=1 rewrites them; otherwise they are compared exactly.
//
//   n1 -> n2 …   a message arrives       n1 -x n2 …   a message is lost
//   n1 syncs …   records are on disk     n1 decides … a value is handed on to be applied

const DIRECTORY = 'test/paxos/transcripts'

/** Each writes headings and drives a cluster. */
const STORIES: Record<string, (tell: (heading: string) => void) => Cluster> = {
  election: (tell) => {
    const cluster = new Cluster({ nodeIds: [1, 2, 3] })
    follow(cluster, tell, 'Node 1 hears no leader. It asks around first, so as not to unseat one that only it cannot hear.')
    cluster.tick(1, 601)
    cluster.settle({ kind: 'poll' })
    cluster.settle({ kind: 'pollReply' })
    tell('A majority would follow it. Its ballot is durable before any Prepare leaves, each promise before it is answered.')
    cluster.settle({ kind: 'prepare' })
    cluster.settle({ kind: 'promise' })
    tell('It leads, and decides a slot of its own ballot: from then on it knows all that was decided before.')
    cluster.settle()
    tell('A command of a client of node 3.')
    cluster.tick(1)
    cluster.settle()
    cluster.propose(3, 'transfer')
    cluster.settle()
    return cluster
  },
  'competing-scouts': (tell) => {
    const cluster = new Cluster({ nodeIds: [1, 2, 3] })
    follow(cluster, tell, 'Nodes 1 and 2 ask around at the same time, and both are told to go ahead.')
    cluster.tick(1, 601)
    cluster.tick(2, 601)
    cluster.settle({ kind: 'poll' })
    cluster.settle({ kind: 'pollReply' })
    tell('Node 3 promises the lower ballot first, then the higher one.')
    cluster.settle({ kind: 'prepare', from: 1, to: 3 })
    cluster.settle({ kind: 'prepare', from: 2, to: 3 })
    tell('Node 1 has a majority, and leads, not for long: node 3 has promised node 2, which has a majority, too.')
    cluster.settle({ kind: 'promise', to: 1 })
    cluster.settle({ kind: 'promise', to: 2 })
    tell('Whatever node 1 still sends is refused, and it follows when it hears of the higher ballot.')
    cluster.settle()
    return cluster
  },
  'lost-messages': (tell) => {
    const cluster = new Cluster({ nodeIds: [1, 2, 3] })
    cluster.elect(1)
    follow(cluster, tell, 'Node 1 leads. Both Accepts of its next slot are lost.')
    cluster.propose(1, 'a')
    cluster.drop({ kind: 'accept' })
    tell('After the retry delay it sends them again. Now one is lost, and of the other the answer comes twice.')
    cluster.tick(1, 200)
    cluster.drop({ kind: 'heartbeat' })
    cluster.drop({ kind: 'accept', to: 3 })
    cluster.settle({ kind: 'accept' })
    cluster.duplicate({ kind: 'accepted' })
    cluster.settle({ kind: 'accepted' })
    tell('Two of three are a majority. Node 3 hears of it, did not vote, and asks for the value.')
    cluster.settle()
    return cluster
  },
  're-proposal': (tell) => {
    const cluster = new Cluster({ nodeIds: [1, 2, 3] })
    cluster.elect(1)
    follow(cluster, tell, 'Node 1 leads and proposes a, but its Accepts are lost, and so is node 1.')
    cluster.propose(1, 'a')
    cluster.drop()
    cluster.crash(1)
    cluster.cut(2, 1)
    tell(
      'Node 2 leads in a higher ballot; nobody that promised knows of a. What it proposes, node 3 accepts, but the answers are lost.',
    )
    cluster.tick(3, 240)
    cluster.tick(2, 601)
    for (const kind of ['poll', 'pollReply', 'prepare', 'promise', 'heartbeat', 'heartbeatAck'] as const) cluster.settle({ kind })
    cluster.propose(2, 'b')
    cluster.settle({ kind: 'accept' })
    cluster.drop({ from: 3 })
    cluster.crash(2)
    cluster.hold()
    tell(
      'Node 1 is back with its vote for a in slot 2, where node 3 has one in a higher ballot: the higher one may have been decided, ' +
        'and is proposed again, as is b. What became of a, its client must ask again.',
    )
    cluster.restart(1)
    cluster.elect(1)
    return cluster
  },
  'gap-filling': (tell) => {
    const cluster = new Cluster({ nodeIds: [1, 2, 3], options: { batchCommandsMax: 1 } })
    cluster.elect(1)
    follow(cluster, tell, 'Of three proposals of node 1, only the first and the last reach anybody.')
    cluster.propose(1, 'a', 'b', 'c')
    cluster.drop({ kind: 'accept', to: 2 })
    cluster.drop({ kind: 'accept', where: (m) => m.kind === 'accept' && m.slot === 3 })
    cluster.settle({ kind: 'accept' })
    cluster.drop()
    cluster.crash(1)
    tell('Node 2 finds slots 2 and 4 open, and nothing in slot 3: that becomes a no-op, so that slot 4 can be applied.')
    cluster.elect(2)
    return cluster
  },
  'linearizable-read': (tell) => {
    const cluster = new Cluster({ nodeIds: [1, 2, 3] })
    cluster.elect(1)
    cluster.tick(1)
    cluster.settle()
    follow(cluster, tell, 'A client reads at node 3, the follower: it asks the leader for the slot as of which to answer.')
    cluster.read(3)
    tell('The leader makes sure that it still leads, by a round of heartbeats that starts now.')
    cluster.settle()
    tell('Of two reads at the leader, the second comes when the round of the first is on its way: it waits for the next.')
    cluster.pause(3)
    cluster.read(1)
    cluster.read(1)
    cluster.settle()
    return cluster
  },
  'catch-up': (tell) => {
    const cluster = new Cluster({ nodeIds: [1, 2, 3], options: { pageBytesMax: 50 } })
    cluster.elect(1)
    follow(cluster, tell, 'Node 3 is down while three slots are decided.')
    cluster.crash(3)
    for (const command of ['a', 'b', 'c']) {
      cluster.propose(1, command)
      cluster.settle()
      cluster.drop({ to: 3 })
    }
    tell('It comes back, hears the watermark, and asks for what it missed, a page at a time.')
    cluster.restart(3)
    cluster.tick(1, 60)
    cluster.settle()
    return cluster
  },
  'hand-over': (tell) => {
    const cluster = new Cluster({ nodeIds: [1, 2, 3] })
    cluster.elect(1)
    cluster.tick(1)
    cluster.settle()
    follow(cluster, tell, 'Node 1 is asked to stop. Node 2 is told to scout, and need not ask around.')
    cluster.handOver(1)
    cluster.settle()
    return cluster
  },
  formation: (tell) => {
    const cluster = new Cluster({ nodeIds: [1, 2, 3], unformed: true })
    follow(cluster, tell, 'Every node says who it is. The first joins of node 3 are lost.')
    for (const nodeId of [1, 2, 3]) cluster.tick(nodeId)
    cluster.drop({ from: 3 })
    cluster.settle()
    tell('It says so again. All are there now: the seed, node 1, founds the cluster and welcomes them.')
    cluster.tick(3, 100)
    cluster.settle()
    return cluster
  },
}

const heads = new WeakMap<(heading: string) => void, Cluster>()

/** Starts a story: earlier lines are dropped, and headings go between the later ones. */
function follow(cluster: Cluster, tell: (heading: string) => void, heading: string): void {
  heads.set(tell, cluster)
  cluster.transcript.length = 0
  tell(heading)
}

function transcriptOf(story: (tell: (heading: string) => void) => Cluster): string {
  const tell = (heading: string): void => {
    const transcript = heads.get(tell)?.transcript
    if (transcript !== undefined) transcript.push(...(transcript.length === 0 ? [] : ['']), `# ${heading}`)
  }
  return `${story(tell).transcript.join('\n')}\n`
}

for (const [name, story] of Object.entries(STORIES)) {
  test(`the transcript of "${name}" is as written down`, () => {
    const path = join(DIRECTORY, `${name}.txt`)
    const transcript = transcriptOf(story)
    if (process.env['UPDATE_TRANSCRIPTS'] === '1') writeFileSync(path, transcript)
    assert.ok(existsSync(path), `${path} is missing: run with UPDATE_TRANSCRIPTS=1`)
    assert.equal(transcript, readFileSync(path, 'utf8'))
  })
}

test('every transcript has its story', () => {
  const names = readdirSync(DIRECTORY).map((file) => basename(file, '.txt'))
  assert.deepEqual(names.toSorted(), Object.keys(STORIES).toSorted())
})
