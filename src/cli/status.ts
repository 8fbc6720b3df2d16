import type { Command } from 'commander'
import type { NodeStatus } from '../client/client.js'
import { EXIT } from './failure.js'
import { type ClientFlags, withClient, withClientFlags } from './options.js'
import { formatTable, print, printJson, styled } from './output.js'

const EXAMPLE = `
Example:
  $ synod status
  node  address         role      ballot  decided  applied  digest
     1  127.0.0.1:7101  leader    3.1          42       42  9b1c2f00
     2  127.0.0.1:7102  follower  3.1          42       42  9b1c2f00
        127.0.0.1:7103  unreachable`

export function addStatusCommand(program: Command): void {
  withClientFlags(program.command('status').description('how each node is'))
    .addHelpText('after', EXAMPLE)
    .action(async (flags: ClientFlags) => {
      // One node that is down must not hold the table up.
      const timeoutMs = Math.min(flags.timeout, 2_000)
      const nodes = await withClient(flags, (client) => client.cluster.status({ timeoutMs }))
      const { NodeRole } = await import('../client/client.js')
      const roles = Object.entries(NodeRole)
      const roleOf = (role: number): string => roles.find(([, value]) => value === role)?.[0].toLowerCase() ?? 'unknown'
      const rows = nodes.map((node) => toRow(node, roleOf))
      if (flags.json) printJson(nodes.map((node) => toJson(node, roleOf)))
      else {
        print(formatTable(HEAD, rows))
        for (const line of nodes.flatMap(alarmLines)) print(line)
      }
      if (nodes.every((node) => node.status === undefined)) process.exitCode = EXIT.unavailable
    })
}

const HEAD = ['node', 'address', 'role', 'ballot', 'decided', 'applied', 'digest']

function toRow({ endpoint, status }: NodeStatus, roleOf: (role: number) => string): string[] {
  if (status === undefined) return ['', endpoint, styled('red', 'unreachable')]
  const { nodeId, ballot, decidedUpTo, appliedUpTo, stateDigest } = status
  return [
    String(nodeId),
    endpoint,
    status.learning ? 'learner' : roleOf(status.role),
    formatBallot(ballot),
    String(decidedUpTo),
    String(appliedUpTo),
    stateDigest,
  ]
}

/** Below the table: what a node that goes on says is wrong with it. */
function alarmLines({ endpoint, status }: NodeStatus): string[] {
  if (status === undefined) return []
  return status.alarms.map(({ code, message, since }) => {
    const began = since === undefined ? '' : ` since ${since.toISOString()}`
    return `${styled('red', code)} at node ${status.nodeId} (${endpoint})${began}: ${message}`
  })
}

function formatBallot(ballot: { round: number; nodeId: number } | undefined): string {
  return ballot === undefined || ballot.round === 0 ? '-' : `${ballot.round}.${ballot.nodeId}`
}

function toJson({ endpoint, status, error }: NodeStatus, roleOf: (role: number) => string): unknown {
  if (status === undefined) return { endpoint, unreachable: error.message }
  return { endpoint, ...status, role: roleOf(status.role) }
}
