import { setFlagsFromString } from 'node:v8'
import { type Command, Option } from 'commander'
import type { ServerConfig } from '../server/config.js'
import { descriptorShares } from '../storage/directory/descriptors.js'
import { notEmpty, outcomeCounts } from './cli-options.js'
import { describe } from './failure.js'
import { LogSink } from './log-sink.js'
import { mergeNodeOptions, type NodeOptions, readConfigFile, serverConfigOf } from './node-options.js'
import { errorWithCommands, logWithCommands } from './remedies.js'
import { endAtOnce, onStopSignals, outliveTerminals, STOP_SIGNALS } from './signals.js'

const HELP = `
Each option except --config can also be a variable, or an entry of the config file; flags come first, then variables, then the file:
  --id             SYNOD_ID              "id"
  --data           SYNOD_DATA            "data"
  --listen         SYNOD_LISTEN          "listen"
  --peer-listen    SYNOD_PEER_LISTEN     "peerListen"
  --peers          SYNOD_PEERS           "peers"
  --authority      SYNOD_AUTHORITIES     "authority", a list
  --join           SYNOD_JOIN=true       "join": true
  --no-repair      SYNOD_REPAIR=false    "repair": false
  --transfer-rate  SYNOD_TRANSFER_RATE   "transferRate"

Example, one of three nodes:
  $ synod start --id 1 --data /var/lib/synod --authority mint=6kFXvM…= \\
      --peers 1=10.0.0.1:7201/10.0.0.1:7101,2=10.0.0.2:7201/10.0.0.2:7101,3=10.0.0.3:7201/10.0.0.3:7101`

/** Time to wait after the stop: a peer or a client that hangs never closes its side of a connection. */
const LINGER_MS = 1_000
/** Time for a graceful stop: draining takes at most 5 s, handing over and the last checkpoint little; docker sends SIGKILL after 10 s. */
const STOP_MS_MAX = 10_000

/**
 * Has the V8 of Node 20 optimize a function after a seventh of its usual wait: with little load a node runs the code of a command some
 * hundred times a second, and that code takes twice the time until it is optimized. Later versions have another compiler, and not this
 * flag.
 */
function optimizeSooner(): void {
  if (process.versions.node.startsWith('20.')) setFlagsFromString('--interrupt-budget=20000')
}

/** Message to the parent process, if it listens. */
export interface NodeReport {
  readonly failed: string
}

export function addStartCommand(program: Command): void {
  outcomeCounts(program.command('start'))
    .description('run one node of a cluster')
    .option('--id <number>', "this node's number, 1 to 65,535")
    .option('--data <dir>', 'where it keeps its data')
    .option('--listen <host:port>', 'for clients; as --peers says without it')
    .option('--peer-listen <host:port>', 'for the other nodes; as --peers says without it')
    .option('--peers <list>', 'every member, this one too: ID=HOST:PEERPORT/HOST:CLIENTPORT,…')
    .option('--join', 'join a cluster that has let this node in (`synod member add`); --peers names some members, and this one')
    .option('--no-repair', 'stop when the data directory is damaged, instead of fetching it anew from the other members')
    .option('--transfer-rate <MiB/s>', 'nodes that lag are never sent state faster; 64 unless told')
    .option('--authority <id=key>', 'who may sign deposits in a new cluster: ed25519 public key, base64; repeatable', collect)
    .addOption(new Option('--config <file>', 'a JSON file with these options').env('SYNOD_CONFIG').argParser(notEmpty))
    .addOption(
      new Option('--log-level <level>', 'the lowest level to log, on stderr')
        .choices(['debug', 'info', 'warn', 'error'])
        .default('info')
        .env('SYNOD_LOG_LEVEL'),
    )
    .addHelpText('after', HELP)
    .action(async ({ repair, ...flags }: NodeOptions & { config?: string; logLevel: string }) => {
      optimizeSooner()
      const file = flags.config === undefined ? {} : readConfigFile(flags.config)
      // Commander gives true by default.
      const said = repair === false ? { ...flags, repair } : flags
      await run(serverConfigOf(mergeNodeOptions(said, process.env, file)), flags.logLevel)
    })
}

function collect(value: string, all: readonly string[] = []): string[] {
  return [...all, value]
}

/** Runs a node until it is told to stop or fails. */
async function run(config: ServerConfig, level: string): Promise<void> {
  // Checked before the modules are loaded: loading them may already need too many files, and would fail without a clear message.
  descriptorShares()
  const [{ pino, stdSerializers }, { startServer }] = await Promise.all([import('pino'), import('../server/server.js')])
  // Starting may take long.
  outliveTerminals()
  // LevelDB creates its files with the process's mask.
  process.umask(0o077)
  const sink = new LogSink()
  const serializers = { err: stdSerializers.wrapErrorSerializer(errorWithCommands) }
  const logger = pino({ level, hooks: { logMethod: logWithCommands }, serializers }, sink)
  // Other writers there (a warning of Node, for example) must not end the node either.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})
  try {
    const server = await startServer(config, logger)
    onStopSignals({
      first: () => void server.stop(),
      second: () => {
        logger.fatal('ends at once, unfinished: it was told to a second time, or stopping took too long')
        endAtOnce()
      },
      graceMs: STOP_MS_MAX,
    })
    // Under `synod dev` this process must stop when its parent is gone.
    process.once('disconnect', () => void server.stop())
    // The parent may have ended while the server was starting.
    if (process.send !== undefined && !process.connected) void server.stop()
    await server.stopped
    if (process.connected) process.disconnect()
  } catch (error) {
    await report(describe(error))
    throw error
  } finally {
    setTimeout(() => {
      // exit() waits for threads: if one hangs on a disk, signals have their default effect again.
      for (const signal of STOP_SIGNALS) process.removeAllListeners(signal)
      process.exit()
    }, LINGER_MS).unref()
  }
}

async function report(failed: string): Promise<void> {
  if (process.send === undefined || !process.connected) return
  const message: NodeReport = { failed }
  await new Promise<void>((resolve) => process.send?.(message, undefined, undefined, () => resolve()))
  process.disconnect()
}
