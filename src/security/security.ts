import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2'
import { type ChannelCredentials, credentials, ServerCredentials } from '@grpc/grpc-js'

/** The client's half of Security: everything that a program needs to call nodes. */
export interface ClientSecurity {
  /** Credentials for a gRPC channel to a node's port for clients. */
  toNode(): ChannelCredentials
  /** Opens a bare HTTP/2 session to a node's port for clients: a probe that finds out what listens there. */
  openHttp2(endpoint: string): ClientHttp2Session
}

/**
 * Makes every credential of a process. Nothing else in the program decides how a connection is protected, or whom the other end must
 * prove to be.
 */
export interface Security extends ClientSecurity {
  /** Credentials of the port that clients connect to. */
  clientPort(): ServerCredentials
  /** Credentials of the port that the other members connect to. */
  peerPort(): ServerCredentials
  /** Credentials for a gRPC channel to that member's port for peers: the other end must be this very member. */
  toPeer(nodeId: number): ChannelCredentials
}

/** Plain text on every connection: nobody proves anything. */
export const INSECURE: Security = {
  toNode: () => credentials.createInsecure(),
  openHttp2: (endpoint) => connectHttp2(`http://${endpoint}`),
  clientPort: () => ServerCredentials.createInsecure(),
  peerPort: () => ServerCredentials.createInsecure(),
  toPeer: () => credentials.createInsecure(),
}
