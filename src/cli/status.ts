import type { Command } from 'commander'
import type { StatusResponse } from '../client/client.js'
import { type ClientFlags, withClientFlags } from './cli-options.js'
import { quotaLine } from './cluster-command.js'
import { type SurveyedNode, surveyCluster, tellNoMajority } from './cluster-view.js'
import { EXIT } from './failure.js'
import { formatBytes, formatTable, note, print, printJson, styled, type TableCell } from './output.js'
import { remedyFromWire, withCommands } from './remedies.js'
import { shown } from './shown.js'

const EXAMPLE = `
It asks the endpoints, and then every other member that these know of. Exit code 3: there is no majority.

Example:
  $ synod status
  node  address         role      ballot  decided  applied  digest    state                    level  version
     1  127.0.0.1:7101  leader    3.1          42       42  9b1c2f00  1.5 of 2032.0 MiB (0 %)  1      0.1.0
     2  127.0.0.1:7102  follower  3.1          42       42  9b1c2f00  1.5 of 2032.0 MiB (0 %)  1      0.1.0
     3  127.0.0.1:7103  unreachable
  node 3 (127.0.0.1:7103) is unreachable: nothing listens there (connection refused)`

export function addStatusCommand(program: Command): void {
  withClientFlags(program.command('status').description('show the state of each node'))
    .addHelpText('after', EXAMPLE)
    .action(async (flags: ClientFlags) => {
      const survey = await surveyCluster(flags)
      const { NodeRole } = await import('../client/client.js')
      const roles = Object.entries(NodeRole)
      const roleOf = (role: number): string => roles.find(([, value]) => value === role)?.[0].toLowerCase() ?? 'unknown'
      const { nodes } = survey
      if (flags.json) printJson(nodes.map((node) => toJson(node, roleOf)))
      else {
        print(
          formatTable(
            HEAD,
            nodes.map((node) => toRow(node, roleOf)),
          ),
        )
        for (const line of nodes.flatMap(transferLines)) print(line)
        for (const line of nodes.flatMap(alarmLines)) print(line)
        for (const line of nodes.flatMap(troubleLines)) print(line)
      }
      const noMajority = tellNoMajority(survey)
      if (noMajority === undefined) return
      note(styled('red', noMajority, process.stderr))
      process.exitCode = EXIT.unavailable
    })
}

const HEAD = ['node', 'address', 'role', 'ballot', 'decided', 'applied', 'digest', 'state', 'level', 'version']

function toRow({ endpoint, nodeId, status }: SurveyedNode, roleOf: (role: number) => string): TableCell[] {
  if (status === undefined) return [nodeId === 0 ? '' : String(nodeId), endpoint, { text: 'unreachable', style: 'red' }]
  const { ballot, decidedUpTo, appliedUpTo, stateDigest } = status
  return [
    String(nodeId),
    endpoint,
    status.learning ? 'learner' : roleOf(status.role),
    formatBallot(ballot),
    String(decidedUpTo),
    String(appliedUpTo),
    stateDigest,
    quotaLine(status.stateBytes, status.quotaBytes),
    levelOf(status),
    status.version,
  ]
}

/** "1", or "1 (knows 2)" on a node whose version would let the cluster be upgraded. */
function levelOf({ level, levelMax }: Pick<StatusResponse, 'level' | 'levelMax'>): string {
  const inForce = level === 0 ? '-' : String(level)
  return levelMax > level ? `${inForce} (knows ${levelMax})` : inForce
}

/** Lines below the table: the progress of nodes that fetch a checkpoint. */
function transferLines({ status }: SurveyedNode): string[] {
  const coming = (status?.transfers ?? []).filter(({ sending }) => !sending)
  return coming.map(({ peerId, slot, bytesDone, bytesTotal, bytesPerSecond }) => {
    const rate = `${formatBytes(bytesPerSecond)}/s`
    return `node ${status?.nodeId} fetches the state after slot ${slot} from node ${peerId}: ${formatBytes(bytesDone)} of ${formatBytes(bytesTotal)}, ${rate}`
  })
}

/** Lines below the table: the alarms of each node. */
function alarmLines({ endpoint, status }: SurveyedNode): string[] {
  if (status === undefined) return []
  return status.alarms.map(({ code, message, since, remedies }) => {
    const began = since === undefined ? '' : ` since ${since.toISOString()}`
    const told = shown(withCommands(message, remedies.flatMap(remedyFromWire)))
    return `${styled('red', code)} at node ${status.nodeId} (${endpoint})${began}: ${told}`
  })
}

function troubleLines({ endpoint, nodeId, trouble }: SurveyedNode): string[] {
  if (trouble === undefined) return []
  return [`${nodeId === 0 ? endpoint : `node ${nodeId} (${endpoint})`} is unreachable: ${trouble}`]
}

function formatBallot(ballot: { round: number; nodeId: number } | undefined): string {
  return ballot === undefined || ballot.round === 0 ? '-' : `${ballot.round}.${ballot.nodeId}`
}

function toJson({ endpoint, nodeId, status, trouble }: SurveyedNode, roleOf: (role: number) => string): unknown {
  if (status === undefined) return { endpoint, ...(nodeId === 0 ? {} : { nodeId }), unreachable: trouble }
  return { endpoint, ...status, role: roleOf(status.role) }
}
