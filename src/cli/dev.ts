import { setTimeout as delay } from 'node:timers/promises'
import { type Command, Option } from 'commander'
import type { Client } from '../client/client.js'
import { DEFAULT_ENDPOINTS, dataOption, outcomeCounts, wholeNumber } from './cli-options.js'
import { devAuthority, saveLayout, settleLayout, takeDirectory } from './dev-directory.js'
import { CliError } from './failure.js'
import { devKeyFile } from './key-file.js'
import { LocalCluster, type LocalNode } from './local-cluster.js'
import { NODE_VARIABLES } from './node-options.js'
import { formatTable, note, print, styled } from './output.js'
import { whyTaken } from './ports.js'
import { onStopSignals } from './signals.js'

const FORM_MS_MAX = 30_000
/** Patience with taken ports: the nodes of a killed dev cluster need a moment to stop. */
const PORTS_MS_MAX = 3_000
const DEFAULT_LAYOUT = { nodes: 3, basePort: 7_100 }

interface DevFlags {
  readonly nodes?: string
  readonly basePort?: number
  readonly data: string
}

export function addDevCommand(program: Command): void {
  outcomeCounts(program.command('dev'))
    .description('run a cluster on this machine, one process a node; Ctrl-C drains and stops it')
    .addOption(new Option('--nodes <count>', 'how many nodes (default: 3)').choices(['1', '3', '5']))
    .addOption(dataOption())
    .addOption(
      new Option(
        '--base-port <port>',
        'node i serves clients on port base + i, its peers on base + 100 + i (default: 7100)',
      ).argParser(wholeNumber(1, 65_430)),
    )
    .addHelpText('after', '\nExample:\n  $ synod dev --nodes 5 --data /tmp/five --base-port 8100')
    .action(runDev)
}

async function runDev(flags: DevFlags): Promise<void> {
  const { wasKilled, letGo } = await takeDirectory(flags.data)
  try {
    const asked = {
      ...(flags.nodes === undefined ? {} : { nodes: Number(flags.nodes) }),
      ...(flags.basePort === undefined ? {} : { basePort: flags.basePort }),
    }
    const layout = settleLayout(flags.data, asked, DEFAULT_LAYOUT)
    const { nodes, basePort } = layout
    const ports = Array.from({ length: nodes }, (_, i) => ({ client: basePort + i + 1, peer: basePort + 100 + i + 1 }))
    await checkPorts(ports, wasKilled ? PORTS_MS_MAX : 0)
    saveLayout(flags.data, layout)
    const cluster = new LocalCluster({ directory: flags.data, ports, authority: await devAuthority(flags.data) })
    await serve(cluster, flags.data)
  } finally {
    await letGo()
  }
}

/** Waits until all ports are free. @throws CliError that names the first port that is still taken after patienceMs */
async function checkPorts(ports: readonly { client: number; peer: number }[], patienceMs: number): Promise<void> {
  const deadlineMs = performance.now() + patienceMs
  const uses = ports.flatMap(({ client, peer }, i) => [
    { port: client, use: `node ${i + 1}, clients` },
    { port: peer, use: `node ${i + 1}, peers` },
  ])
  for (const { port, use } of uses) {
    let why = await whyTaken(port)
    while (why !== undefined && performance.now() < deadlineMs) {
      await delay(100)
      why = await whyTaken(port)
    }
    if (why !== undefined) {
      throw new CliError(`port ${port} (${use}) cannot be used: ${why}; free it, or choose another --base-port`)
    }
  }
}

/** Runs the nodes until they are told to stop or all have ended. */
async function serve(cluster: LocalCluster, dataDirectory: string): Promise<void> {
  const { connect } = await import('../client/client.js')
  const client = connect({ endpoints: cluster.endpoints, timeoutMs: 2_000 })
  const stopAsked = new Promise<'stop'>((resolve) => {
    onStopSignals({ first: () => resolve('stop'), second: () => cluster.killAll() })
  })
  try {
    cluster.prepare()
    for (const node of cluster.nodes) cluster.spawn(node)
    const leader = await Promise.race([cluster.untilFormed(client, FORM_MS_MAX), stopAsked])
    if (leader !== 'stop') {
      const allDead = untilAllDead(cluster)
      print(await introduction(cluster, client, leader, dataDirectory))
      await Promise.race([stopAsked, allDead])
    }
    cluster.onExit = () => {}
    note('stopping the nodes')
    await cluster.stop()
  } finally {
    cluster.killAll()
    client.close()
  }
}

/** Reports each node that ends. @throws CliError when none is left */
function untilAllDead(cluster: LocalCluster): Promise<never> {
  return new Promise((_, reject) => {
    cluster.onExit = (node, how) => {
      const why = node.lastWords ?? how
      note(`node ${node.nodeId} is gone (${why}); this brings it back: ${startCommand(node)}`)
      if (cluster.runningCount === 0) reject(new CliError('all nodes are gone'))
    }
  })
}

/** The command that starts a node again. It unsets the variables that are set here, as they would come before the config file. */
function startCommand(node: LocalNode): string {
  const unset = NODE_VARIABLES.filter((name) => process.env[name] !== undefined).map((name) => `-u ${name} `)
  return `${unset.length > 0 ? `env ${unset.join('')}` : ''}npx synod start --config ${node.configFile}`
}

async function introduction(cluster: LocalCluster, client: Client, leader: LocalNode, dataDirectory: string): Promise<string> {
  const rows = cluster.nodes.map((node) => [
    String(node.nodeId),
    node.clientAddress,
    node.peerAddress,
    String(node.child?.pid ?? ''),
    node === leader ? 'leader' : 'follower',
  ])
  const { membership } = await client.cluster.listMembers()
  const endpoints = cluster.endpoints.join(',')
  const flag = endpoints === DEFAULT_ENDPOINTS ? '' : ` --endpoints ${endpoints}`
  const request = '{"account_id": "alice", "asset": "EUR"}'
  const code = `import { connect } from 'synod/client'; const c = connect({ endpoints: '${endpoints}' }); console.log(await c.kv.get('greeting')); c.close()`
  return [
    formatTable(['node', 'clients', 'peers', 'pid', 'role'], rows),
    '',
    `Node ${leader.nodeId} leads ${membership.members.length}. Deposits are signed by the authority "dev", whose key is ${devKeyFile(dataDirectory)}.`,
    `Logs: ${cluster.nodes.map((node) => node.logFile).join(' ')}`,
    '',
    styled('bold', 'Try:'),
    `  grpcurl -plaintext -d '${request}' ${leader.clientAddress} synod.bank.v1.BankService/OpenAccount`,
    `  npx synod kv put greeting hello${flag}`,
    `  node --input-type=module -e "${code}"`,
    '',
    'Ctrl-C stops all.',
  ].join('\n')
}
