import type { GateKeepers } from '../../src/host/start/start-gate.js'
import type { NodeId } from '../../src/paxos/types.js'

/** What PeerTalk needs of a PeerFinder that knows these voters, and finds nobody. */
export function fakeFinder(voters: readonly (readonly NodeId[])[], needed: GateKeepers['needed'] = 'majority') {
  const finder = {
    gateKeepers: { voters, needed },
    openedCount: 0,
    onGateOpened: () => void finder.openedCount++,
    onRoster: () => undefined,
    tick: () => undefined,
  }
  return finder
}
