import type { Message } from '../paxos/messages.js'

/**
 * Returns whether a node that is not known by its data directory may send this message: to join, to say who and where it is, and, before
 * that, to ask whether its directory is an older copy.
 */
export function isFromStranger({ kind }: Message): boolean {
  return kind === 'join' || kind === 'recall' || kind === 'roster'
}
