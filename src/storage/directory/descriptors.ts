/** How a process shares out the file descriptors that it may have. */
export interface DescriptorShares {
  /** LevelDB's, for its tables. */
  readonly tableFiles: number
  readonly clientConnections: number
  readonly peerConnections: number
}

/** LevelDB's own default, and the least that it takes. */
const TABLE_FILES_MAX = 1_000
const TABLE_FILES_MIN = 74
const CLIENT_CONNECTIONS_MAX = 20_000
const PEER_CONNECTIONS_MAX = 256
/** Logs, locks, the witness, the event loop, backups, and what a library opens in passing. */
const RESERVE = 80
/** Below this a node would refuse most of its clients. */
const DESCRIPTORS_MIN = 224

/** The limit that the system sets this process (`ulimit -n`); without one, all that would be shared out. */
function descriptorLimit(): number {
  const report = process.report?.getReport() as { userLimits?: { open_files?: { soft?: number | string } } } | undefined
  const soft = report?.userLimits?.open_files?.soft
  return typeof soft === 'number' ? soft : CLIENT_CONNECTIONS_MAX + PEER_CONNECTIONS_MAX + TABLE_FILES_MAX + RESERVE
}

let ofThisProcess: DescriptorShares | undefined

/** The shares of this process. Its limit is read once: a report takes milliseconds. @throws RangeError when the limit is below 224 */
export function descriptorShares(): DescriptorShares {
  ofThisProcess ??= shareDescriptors(descriptorLimit())
  return ofThisProcess
}

/** @throws RangeError when the limit is below 224 */
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
