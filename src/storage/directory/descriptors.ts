/** Shares of the file descriptors that a process may open. */
export interface DescriptorShares {
  /** Descriptors for LevelDB's tables. */
  readonly tableFiles: number
  readonly clientConnections: number
  readonly peerConnections: number
}

/** LevelDB's own default, and its minimum. */
const TABLE_FILES_MAX = 1_000
const TABLE_FILES_MIN = 74
const CLIENT_CONNECTIONS_MAX = 20_000
const PEER_CONNECTIONS_MAX = 256
/** Descriptors for logs, locks, the witness, the event loop, backups and libraries. */
const RESERVE = 80
/** Fewest descriptors: with fewer a node would refuse most of its clients. */
const DESCRIPTORS_MIN = 224

/** Returns this process's limit (`ulimit -n`); without a limit, the sum of the largest shares. */
function descriptorLimit(): number {
  const report = process.report?.getReport() as { userLimits?: { open_files?: { soft?: number | string } } } | undefined
  const soft = report?.userLimits?.open_files?.soft
  return typeof soft === 'number' ? soft : CLIENT_CONNECTIONS_MAX + PEER_CONNECTIONS_MAX + TABLE_FILES_MAX + RESERVE
}

let ofThisProcess: DescriptorShares | undefined

/**
 * Returns the shares of this process. The limit is read once, because a report takes milliseconds.
 *
 * @throws RangeError when the limit is below 224
 */
export function descriptorShares(): DescriptorShares {
  ofThisProcess ??= shareDescriptors(descriptorLimit())
  return ofThisProcess
}

/** Divides a limit into shares. @throws RangeError when the limit is below 224 */
export function shareDescriptors(limit: number): DescriptorShares {
  if (limit < DESCRIPTORS_MIN) {
    throw new RangeError(
      `this process may open ${limit} files and connections: a node needs at least ${DESCRIPTORS_MIN}, and one more for each connection of a client; raise \`ulimit -n\``,
    )
  }
  const tableFiles = Math.min(TABLE_FILES_MAX, Math.max(TABLE_FILES_MIN, Math.floor(limit / 4)))
  const peerConnections = Math.min(PEER_CONNECTIONS_MAX, Math.floor(limit / 8))
  const rest = limit - RESERVE - tableFiles - peerConnections
  return { tableFiles, clientConnections: Math.min(CLIENT_CONNECTIONS_MAX, rest), peerConnections }
}
