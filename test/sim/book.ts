import type { Genesis } from '../../src/paxos/types.js'
import { VoteBook } from '../../src/sim/checkers/vote-book.js'

/** Returns a genesis of nodes 1 to `nodeCount`, each with directory `d<node id>`. */
export function genesisOf(nodeCount: number, windowSlots = 100): Genesis {
  const members = Array.from({ length: nodeCount }, (_, i) => ({
    nodeId: i + 1,
    dataDirId: `d${i + 1}`,
    peerAddress: `node${i + 1}:7200`,
    clientAddress: '',
  }))
  return { clusterId: 'c', members, initialCommands: [], windowSlots, quotaBytes: 0, level: 1, levelVersion: '' }
}

/** Returns the book of a cluster that is formed: each node has its directory, with the genesis. */
export function bookOf(nodeCount: number, windowSlots?: number): VoteBook {
  const book = new VoteBook()
  const genesis = genesisOf(nodeCount, windowSlots)
  for (const { nodeId, dataDirId } of genesis.members) {
    book.onDirectory(nodeId, dataDirId)
    book.onGenesis(nodeId, genesis)
  }
  return book
}
