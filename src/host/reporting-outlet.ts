import type { Message } from '../paxos/messages.js'
import type { NodeId } from '../paxos/types.js'
import type { CoreReport } from './core-report.js'
import type { Outlet } from './peers/peer-port.js'

/** The outlet of a host that is observed: whenever messages leave, the core's changes are reported. */
export class ReportingOutlet implements Outlet {
  readonly #outlet: Outlet
  readonly #report: CoreReport

  constructor(outlet: Outlet, report: CoreReport) {
    this.#outlet = outlet
    this.#report = report
  }

  send(to: NodeId, message: Message): void {
    this.#outlet.send(to, message)
  }

  flush(): void {
    this.#report.report()
    this.#outlet.flush()
  }
}
