import type { Logger } from 'pino'
import type { Node } from '../../paxos/node.js'
import type { Alarms } from '../alarms.js'
import type { Watch } from './watches.js'

interface Settings {
  readonly node: Pick<Node, 'clockReport' | 'takeLeapMs'>
  readonly alarms: Pick<Alarms, 'raise' | 'clear'>
  readonly logger: Logger
}

/** Shorter leaps of log time are not worth a line. */
const TOLD_LEAP_MS = 1_000

/** Raises alarms on the leader for wrong clocks, and for log time that does not follow the clocks. */
export class ClockWatch implements Watch {
  readonly #s: Settings

  constructor(settings: Settings) {
    this.#s = settings
  }

  tick(): void {
    const { node } = this.#s
    this.#tellLeap(node.takeLeapMs())
    const report = node.clockReport
    // Only the leader has a report.
    this.#set('LOG_TIME_AHEAD', report !== undefined && report.aheadMs > 0, () => {
      const by = duration(report?.aheadMs ?? 0)
      return `log time is ${by} ahead of what a majority's clocks say: it goes on by elapsed time, a hundredth slower, until the two are equal`
    })
    this.#set('LOG_TIME_BEHIND', report !== undefined && report.aheadMs < 0, () => {
      const by = duration(-(report?.aheadMs ?? 0))
      return (
        `the clocks of a majority are ${by} ahead of log time, which elapsed time does not explain: log time follows a hundredth faster. Set ` +
        'right the clocks that are wrong; log time follows at once when the clocks of all voters say the same after a restart of all nodes'
      )
    })
    this.#set('CLOCKS_DIFFER', report !== undefined && report.strays.length > 0, () => {
      const strays = report?.strays.map(({ nodeId, aheadMs }) => {
        return `node ${nodeId}'s by ${duration(Math.abs(aheadMs))} ${aheadMs > 0 ? 'ahead' : 'behind'}`
      })
      return `the wall clocks of voters differ from log time: ${strays?.join(', ')}`
    })
  }

  #tellLeap(leapMs: number): void {
    if (leapMs < TOLD_LEAP_MS) return
    this.#s.logger.warn(
      { leapMs },
      `log time has jumped ahead by ${duration(leapMs)}, following the clocks of a majority: this node measured no such time`,
    )
  }

  #set(code: string, isRaised: boolean, message: () => string): void {
    if (isRaised) this.#s.alarms.raise(code, message())
    else this.#s.alarms.clear(code)
  }
}

/** For people, about: of two units the larger, so that a figure does not change every second. */
function duration(ms: number): string {
  const minutes = ms / 60_000
  if (minutes < 2) return `${Math.round(ms / 1_000)} s`
  if (minutes < 120) return `${Math.round(minutes)} min`
  return minutes < 2_880 ? `${Math.round(minutes / 60)} h` : `${Math.round(minutes / 1_440)} days`
}
