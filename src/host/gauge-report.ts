import type { Observer } from '../observer/observer.js'
import type { Node } from '../paxos/node.js'
import type { Sessions } from '../replication/sessions.js'
import type { Applier } from './apply/applier.js'
import type { Requester } from './requests/requester.js'
import type { Watch } from './watches/watches.js'

interface Settings {
  readonly observer: Observer
  readonly node: Pick<Node, 'decidedUpTo'>
  readonly applier: Pick<Applier, 'appliedUpTo' | 'queuedCount'>
  readonly requester: Pick<Requester, 'pendingCount'>
  readonly sessions: Pick<Sessions, 'stateBytes'>
}

/** Reports the gauges of a node. */
export class GaugeReport implements Watch {
  readonly #s: Settings

  constructor(settings: Settings) {
    this.#s = settings
  }

  tick(): void {
    const { observer, node, applier, requester, sessions } = this.#s
    observer.gauge('commandsPending', requester.pendingCount)
    observer.gauge('slotsQueued', applier.queuedCount)
    observer.gauge('decidedUpTo', node.decidedUpTo)
    observer.gauge('appliedUpTo', applier.appliedUpTo)
    observer.gauge('stateBytes', sessions.stateBytes)
  }
}
