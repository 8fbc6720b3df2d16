import type { ChannelOptions, MethodDefinition } from '@grpc/grpc-js'
import { type ConnectResponse, type FetchCheckpointRequest, PeerServiceService } from '../gen/synod/peer/v1/peer.js'

export const PROTOCOL_VERSION = 1
/** The time that each side waits for the other's first message. */
export const HANDSHAKE_TIMEOUT_MS = 5_000
/** Messages that take more are not sent. */
export const MESSAGE_BYTES_MAX = 64 * 1024 * 1024
/** A frame may hold one message of the greatest size, and what is around it. */
const FRAME_BYTES_MAX = MESSAGE_BYTES_MAX + 1024 * 1024

/** PeerService.Connect with the requests left encoded: frames are encoded and decoded where their errors can be told. */
export const CONNECT_METHOD: MethodDefinition<Uint8Array, ConnectResponse> = {
  ...PeerServiceService.connect,
  requestSerialize: (bytes) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength),
  requestDeserialize: (bytes) => bytes,
}

/** PeerService.FetchCheckpoint with the responses left encoded, for the same reason. */
export const FETCH_METHOD: MethodDefinition<FetchCheckpointRequest, Uint8Array> = {
  ...PeerServiceService.fetchCheckpoint,
  responseSerialize: (bytes) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength),
  responseDeserialize: (bytes) => bytes,
}

const COMMON_OPTIONS: ChannelOptions = {
  // A peer whose machine is gone says no goodbye.
  'grpc.keepalive_time_ms': 10_000,
  'grpc.keepalive_timeout_ms': 3_000,
  'grpc.enable_channelz': 0,
}

export const SERVER_OPTIONS: ChannelOptions = {
  ...COMMON_OPTIONS,
  'grpc.max_receive_message_length': FRAME_BYTES_MAX,
  'grpc.max_concurrent_streams': 16,
}

export const CLIENT_OPTIONS: ChannelOptions = {
  ...COMMON_OPTIONS,
  'grpc.max_send_message_length': FRAME_BYTES_MAX,
  // By default it takes up to six seconds to notice a peer that is back.
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 500,
  // A new client must make a connection of its own, not wait for one that hangs.
  'grpc.use_local_subchannel_pool': 1,
  'grpc.enable_http_proxy': 0,
  'grpc.enable_retries': 0,
  'grpc.service_config_disable_resolution': 1,
}

/** A transfer has a connection of its own: its pages must not stand in the way of messages. */
export const TRANSFER_OPTIONS: ChannelOptions = {
  ...CLIENT_OPTIONS,
  'grpc.max_receive_message_length': FRAME_BYTES_MAX,
  'grpc-node.flow_control_window': 4 * 1024 * 1024,
}
