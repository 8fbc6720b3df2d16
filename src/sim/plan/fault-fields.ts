import { fieldsOf, type PlanFields } from './plan-fields.js'
import { FAULT_KINDS, type PlannedFault, type Target } from './schedule.js'

const TIME_MS_MAX = 600_000
const CLOCK_MS_MAX = 100 * 365 * 24 * 3_600_000

/** Parses one fault of a plan for `nodeCount` nodes. @throws InvalidPlan that names the field */
export function parseFault(value: unknown, path: string, nodeCount: number): PlannedFault {
  const fields = fieldsOf(value, path)
  const fault = readFault(fields, nodeCount)
  fields.end()
  return fault
}

function readFault(fields: PlanFields, nodeCount: number): PlannedFault {
  const atMs = fields.number('atMs', 0, TIME_MS_MAX)
  const forMs = fields.number('forMs', 0, TIME_MS_MAX, 0)
  const kind = fields.oneOf('kind', FAULT_KINDS)
  const when = { atMs, forMs }
  const target = (): Target => fields.target('target', nodeCount)
  switch (kind) {
    case 'crashOfAll':
    case 'restartOfAll':
    case 'rollingRestart':
    case 'rollingUpgrade':
    case 'handOver':
    case 'leaderIsolation':
    case 'addMember':
      return { ...when, kind }
    case 'raiseLevel':
      return { ...when, kind, level: fields.integer('level', 0, 2 ** 32 - 1) }
    case 'crashMidStep':
      return { ...when, kind, target: target(), steps: fields.integer('steps', 1, 1_000_000) }
    case 'symmetricPartition':
      return { ...when, kind, group: fields.nodeIds('group', nodeCount) }
    case 'oneWayPartition':
      return { ...when, kind, target: target(), side: fields.oneOf('side', ['deaf', 'mute']) }
    case 'chained':
      return { ...when, kind, order: fields.nodeIds('order', nodeCount) }
    case 'partialPartition':
      return { ...when, kind, links: fields.links('links', nodeCount) }
    case 'flappingLinks':
      return { ...when, kind, links: fields.links('links', nodeCount), periodMs: fields.number('periodMs', 1, TIME_MS_MAX) }
    case 'clockSkew':
    case 'clockJump':
      return { ...when, kind, target: target(), byMs: fields.number('byMs', -CLOCK_MS_MAX, CLOCK_MS_MAX) }
    case 'clockLeap':
      return { ...when, kind, byMs: fields.number('byMs', 0, CLOCK_MS_MAX) }
    case 'clockDrift':
      return { ...when, kind, target: target(), perSecondMs: fields.number('perSecondMs', -1_000, 100_000) }
    case 'corruptedRecord':
      return { ...when, kind, target: target(), pick: fields.integer('pick', 0, 2 ** 32 - 1) }
    case 'move':
      return { ...when, kind, target: target(), isLogged: fields.flag('isLogged') }
    case 'absence':
    case 'crash':
    case 'crashInWrite':
    case 'stop':
    case 'downgrade':
    case 'pause':
    case 'suspension':
    case 'slowNode':
    case 'slowDisk':
    case 'stalledSync':
    case 'failingSync':
    case 'fullDisk':
    case 'lostDirectory':
    case 'olderCopy':
    case 'removeMember':
    case 'replaceMember':
    case 'transferLeadership':
    case 'quorumLoss':
    case 'constrainedElection':
      return { ...when, kind, target: target() }
  }
}
