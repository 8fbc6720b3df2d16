import type { DirectedLink, PlannedFault, Target } from './schedule.js'

/** Describes a fault without its time: `n2 crashes in the middle of a write, back after 310 ms`. */
export function tellFault(fault: PlannedFault): string {
  const duration = `${tellNumber(fault.forMs)} ms`
  switch (fault.kind) {
    case 'crash':
      return `${tellTarget(fault.target)} crashes, back after ${duration}`
    case 'absence':
      return `${tellTarget(fault.target)} crashes, and is away for ${duration}`
    case 'move':
      return `${tellTarget(fault.target)} is moved to other addresses, ${fault.isLogged ? 'which the log is told, ' : ''}and started after ${duration}`
    case 'crashMidStep':
      return `${tellTarget(fault.target)} crashes between two steps, ${fault.steps} from then, back after ${duration}`
    case 'crashInWrite':
      return `${tellTarget(fault.target)} crashes in the middle of a write, back after ${duration}`
    case 'crashOfAll':
      return `all nodes crash, back one by one within ${duration}`
    case 'restartOfAll':
      return `all nodes are stopped, and started after ${duration}`
    case 'rollingRestart':
      return `one node after the other is stopped for ${duration}`
    case 'rollingUpgrade':
      return `one node after the other is stopped for ${duration}, and started with the next version`
    case 'downgrade':
      return `${tellTarget(fault.target)} is started with the version before, and after ${duration} with its own again`
    case 'stop':
      return `${tellTarget(fault.target)} is stopped, and started after ${duration}`
    case 'handOver':
      return 'the leader is asked to hand over'
    case 'symmetricPartition':
      return `${fault.group.map(tellTarget).join(', ')} and the others do not hear each other for ${duration}`
    case 'oneWayPartition':
      return fault.side === 'deaf'
        ? `${tellTarget(fault.target)} hears nobody for ${duration}`
        : `nobody hears ${tellTarget(fault.target)} for ${duration}`
    case 'partialPartition':
      return `links are cut for ${duration}: ${fault.links.map(tellLink).join(', ')}`
    case 'quorumLoss':
      return `quorum-loss for ${duration}: all hear ${tellTarget(fault.target)} only`
    case 'constrainedElection':
      return `constrained election for ${duration}: the leader is cut off, the others hear ${tellTarget(fault.target)} only`
    case 'chained':
      return `chained for ${duration}: each hears its neighbours only, in the order ${fault.order.map(tellTarget).join(', ')}`
    case 'flappingLinks':
      return `links flap for ${duration}, cut or mended every ${tellNumber(fault.periodMs)} ms: ${fault.links.map(tellLink).join(', ')}`
    case 'leaderIsolation':
      return `the leader is cut off for ${duration}`
    case 'slowNode':
      return `${tellTarget(fault.target)} is slow for ${duration}: its disk and all its links`
    case 'slowDisk':
      return `the disk of ${tellTarget(fault.target)} is slow for ${duration}`
    case 'stalledSync':
      return `the disk of ${tellTarget(fault.target)} ends no write for ${duration}`
    case 'failingSync':
      return `the next write of ${tellTarget(fault.target)} fails, started again after ${duration}`
    case 'fullDisk':
      return `the disk of ${tellTarget(fault.target)} is full for ${duration}`
    case 'corruptedRecord':
      return `a bit flips in a record of ${tellTarget(fault.target)}, which is killed and started after ${duration}`
    case 'lostDirectory':
      return `${tellTarget(fault.target)} loses its data directory, started again after ${duration}`
    case 'olderCopy':
      return `the disk of ${tellTarget(fault.target)} is copied, and put back to that copy after ${duration}`
    case 'addMember':
      return 'the operator is to add a spare machine'
    case 'removeMember':
      return `the operator is to remove ${tellTarget(fault.target)}`
    case 'replaceMember':
      return `the operator is to replace ${tellTarget(fault.target)}, or whoever cannot run any more, by a spare machine`
    case 'raiseLevel':
      return `the operator wants the level raised to ${fault.level === 0 ? 'the highest that all know' : fault.level}`
    case 'transferLeadership':
      return `the operator wants ${tellTarget(fault.target)} to lead`
    case 'clockSkew':
      return `the wall clock of ${tellTarget(fault.target)} is off by ${tellNumber(fault.byMs)} ms for ${duration}`
    case 'clockJump':
      return `the wall clock of ${tellTarget(fault.target)} jumps by ${tellNumber(fault.byMs)} ms`
    case 'clockLeap':
      return `all wall clocks are set forward by ${tellNumber(fault.byMs)} ms`
    case 'clockDrift':
      return `the wall clock of ${tellTarget(fault.target)} gains ${tellNumber(fault.perSecondMs)} ms a second for ${duration}`
    case 'pause':
      return `${tellTarget(fault.target)} is paused for ${duration}`
    case 'suspension':
      return `${tellTarget(fault.target)} is suspended for ${duration}, its monotonic clock with it`
  }
}

/** Describes a schedule, one line for each fault. */
export function tellSchedule(faults: readonly PlannedFault[]): string[] {
  return faults.map((fault) => `at ${tellNumber(fault.atMs)} ms: ${tellFault(fault)}`)
}

function tellTarget(target: Target): string {
  return typeof target === 'number' ? `n${target}` : `the ${target}`
}

function tellLink([from, to]: DirectedLink): string {
  return `n${from} to n${to}`
}

/** Formats a number with commas between thousands, in any locale. */
function tellNumber(number: number): string {
  return String(number).replace(/\B(?=(\d{3})+(?!\d))/g, ',')
}
